"""Which changes a holder is told of, and what an address calls a binding: red when an own doing is told."""

from datetime import UTC, datetime, timedelta

import pytest

from models.binding import Change, ChangeSource
from models.method import Method
from models.notice import Told, binding_name, is_told, read_binding_name, told_by
from models.webhook import RemovalReason, WebhookEvent

CHAT = {Method.SCAN, Method.PASSCODE}
NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)


@pytest.mark.parametrize("method", list(Method), ids=str)
def test_a_bind_is_told_unless_the_chat_told_it(method: Method) -> None:
    assert is_told(Change.BOUND, ChangeSource.TICKET, method, moved=False) == (method not in CHAT)
    assert is_told(Change.BOUND, ChangeSource.REGISTRATION, method, moved=False)
    assert is_told(Change.BOUND, ChangeSource.TICKET, method, moved=True)


def test_a_login_of_a_known_person_adds_a_binding_untold() -> None:
    assert not is_told(Change.BOUND, ChangeSource.UNIONID, Method.SCAN, moved=False)


@pytest.mark.parametrize("source", list(ChangeSource), ids=str)
def test_a_disconnect_by_site_or_portal_is_told_and_no_other(source: ChangeSource) -> None:
    told = source in (ChangeSource.SITE, ChangeSource.PORTAL)
    assert is_told(Change.DISCONNECTED, source, Method.SCAN, moved=False) == told
    assert not is_told(Change.ERASED, source, Method.SCAN, moved=False)
    assert not is_told(Change.MIGRATED, source, Method.SCAN, moved=False)


@pytest.mark.parametrize("source", list(ChangeSource), ids=str)
def test_a_wechat_is_told_that_another_replaced_it_when_a_person_did_so(source: ChangeSource) -> None:
    """Red when a new openid of the same person counts as another WeChat."""
    told = source in (ChangeSource.TICKET, ChangeSource.REGISTRATION)
    assert is_told(Change.REPLACED, source, Method.SCAN, moved=False) == told
    assert not is_told(Change.MOVED, source, Method.SCAN, moved=False)


def test_only_a_bind_can_be_undone() -> None:
    created = told_by(WebhookEvent.BINDING_CREATED, None)
    moved = told_by(WebhookEvent.BINDING_MOVED, None)
    removed = [
        told_by(WebhookEvent.BINDING_REMOVED, reason)
        for reason in (RemovalReason.SITE, RemovalReason.USER, RemovalReason.REPLACED)
    ]
    assert (created, moved, removed) == (Told.BOUND, Told.MOVED, [Told.BY_SITE, Told.BY_USER, Told.REPLACED])
    assert [it.undoable for it in (created, moved, *removed)] == [True, True, False, False, False]


@pytest.mark.parametrize("follower", [1, 2**40], ids=str)
def test_a_name_says_identity_and_millisecond(follower: int) -> None:
    at = NOW.replace(microsecond=987000)
    name = binding_name(follower, at)
    assert (len(name), read_binding_name(name)) == (16, (follower, at))
    assert binding_name(follower, at + timedelta(milliseconds=1)) != name
