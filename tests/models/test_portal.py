"""Portal sessions: how long a link can be opened, and which bind requests the portal started."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.binding import UserId
from models.portal import LINK_LIVES, PortalSession, portal_confirm, request_session, started_by_portal
from models.ticket import Confirm

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SESSION = PortalSession("s", "shop", UserId("42"), ends_at=NOW + LINK_LIVES)


def test_a_link_can_be_opened_until_it_ends() -> None:
    assert SESSION.waits(NOW)
    assert SESSION.waits(SESSION.ends_at - timedelta(milliseconds=1))
    assert not SESSION.waits(SESSION.ends_at)


def test_an_opened_link_cannot_be_opened_again() -> None:
    assert not replace(SESSION, opened_at=NOW).waits(NOW)


def test_requests_of_the_portal_are_told_from_requests_of_the_site() -> None:
    assert started_by_portal(request_session("s"))
    for session in ("", "s", "a portal:s", "Portal:s"):
        assert not started_by_portal(session)


@pytest.mark.parametrize("configured", Confirm)
def test_the_portal_always_asks_a_question(configured: Confirm) -> None:
    """Red when `portal_confirm` returns what is configured: a link may have reached another person."""
    asked = portal_confirm(configured)
    assert asked is (Confirm.MATCH if configured is Confirm.NONE else configured)
