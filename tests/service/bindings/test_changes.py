"""Clients hear of changes of their bindings, by events in the transaction of the change (contract.md 9)."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import MOVE, NOW, REPLACE, Bind
from outgoing import EVERY, SHOP, rows, subscribed, told

from models.binding import ChangeSource, Policy, UserId
from models.events import OpenId
from models.outbox import notice_target
from service.bindings import conflicts
from service.bindings.changes import tell_follow
from service.bindings.repository import Bindings
from service.identities.followers import Authorized, Followers, Sender
from service.identities.repository import Identities
from service.outbox.outbox import Outbox, Subscription
from service.privacy.erasure import FollowerErasure, forget_person, forget_user
from service.storage.database import Database

ANNA = OpenId("oA")
NOTICE = notice_target("shop")


@pytest.fixture(autouse=True)
def _heard(identities: Identities) -> None:
    identities.outbox = subscribed(identities.cipher, shop=SHOP)


async def _shown(database: Database, identities: Identities, *names: str) -> list[tuple[Any, ...]]:
    """Return type, openid and the values of *names* of each event."""
    return [
        (event, data["identity"]["openid"], *(data.get(name) for name in names))
        for event, data in await told(database, identities.cipher)
    ]


async def test_a_new_binding_is_told_with_its_identity(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    identity = {
        "method": "scan",
        "kind": "official_account",
        "account": "main",
        "appid": None,
        "openid": "oA",
        "unionid": None,
        "userid": None,
        "subscribed": True,
    }
    assert await told(database, identities.cipher) == [
        ("binding.created", {"client": "shop", "user_id": "42", "identity": identity})
    ]
    (row,) = await rows(database)
    assert (row["user_id"], row["erased"]) == ("42", False)


async def test_the_same_binding_again_is_not_told(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await binding("42", "oA", Policy(consent="2"))
    assert len(await rows(database)) == 1


async def test_a_conflict_is_not_told(binding: Bind, database: Database) -> None:
    await binding("42", "oA")
    await binding("43", "oA")
    assert len(await rows(database)) == 1


async def test_a_moved_binding_is_one_event_with_the_previous_user(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await binding("43", "oA", MOVE)
    assert (await _shown(database, identities, "user_id", "previous"))[1:] == [("binding.moved", "oA", "43", "42")]


async def test_a_replaced_wechat_is_told_before_the_new_one(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await binding("42", "oB", REPLACE)
    assert (await _shown(database, identities, "user_id", "reason"))[1:] == [
        ("binding.removed", "oA", "42", "replaced"),
        ("binding.created", "oB", "42", None),
    ]


@pytest.mark.parametrize(
    ("source", "reason"), [(ChangeSource.SITE, "site"), (ChangeSource.PORTAL, "user")], ids=str
)
async def test_a_disconnect_says_whose_doing_it_was(
    binding: Bind, database: Database, identities: Identities, source: ChangeSource, reason: str
) -> None:
    await binding("42", "oA")
    await Bindings(database, identities).disconnect("shop", UserId("42"), source=source, now=NOW)
    (_, removed) = await _shown(database, identities, "user_id", "reason")
    assert removed == ("binding.removed", "oA", "42", reason)


async def test_an_unfollow_is_told_before_the_binding_that_it_ends(
    binding: Bind, erasure: FollowerErasure, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await erasure.unfollowed("main", ANNA, at=NOW + timedelta(1), erase=True, now=NOW)
    assert (await _shown(database, identities, "user_id", "reason"))[1:] == [
        ("wechat.unfollowed", "oA", "42", None),
        ("binding.removed", "oA", "42", "unfollowed"),
    ]
    created, *others = await rows(database)
    # It waits to be delivered, too, and is then erased.
    assert [row["erased"] for row in (created, *others)] == [True] * 3
    (_, _, removed) = await told(database, identities.cipher)
    assert removed[1]["identity"]["subscribed"] is False


async def test_an_unfollow_that_keeps_the_binding_is_told(
    binding: Bind, erasure: FollowerErasure, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    for _ in range(2):
        await erasure.unfollowed("main", ANNA, at=NOW + timedelta(1), erase=False, now=NOW)
    assert (await _shown(database, identities, "user_id"))[1:] == [("wechat.unfollowed", "oA", "42")]


async def test_following_again_is_told_once(
    binding: Bind, erasure: FollowerErasure, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await erasure.unfollowed("main", ANNA, at=NOW + timedelta(1), erase=False, now=NOW)
    followers = Followers(database, identities, on_follow=tell_follow)
    for day in (2, 3):
        await followers.seen(Sender("main", ANNA, NOW + timedelta(day), followed=True))
    events = await told(database, identities.cipher)
    assert [(event, data["identity"]["subscribed"]) for event, data in events[1:]] == [
        ("wechat.unfollowed", False),
        ("wechat.followed", True),
    ]


async def test_an_unsubscribe_that_was_missed_is_told_once_it_is_known(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    followers = Followers(database, identities, on_follow=tell_follow)
    for _ in range(2):
        await followers.gone("main", ANNA, since=NOW + timedelta(1))
    assert (await _shown(database, identities))[1:] == [("wechat.unfollowed", "oA")]


@pytest.mark.parametrize("whose", ["person", "user"])
async def test_an_erasure_is_told_and_leaves_nothing_of_what_was_delivered(
    binding: Bind, database: Database, identities: Identities, whose: str
) -> None:
    await binding("42", "oA")
    await database.attempt(lambda connection: connection.execute(sa.text("UPDATE outbox SET state = 'delivered'")))
    erase = {
        "person": partial(forget_person, account="main", openid=ANNA, source=ChangeSource.PRIVACY),
        "user": partial(forget_user, client="shop", user_id=UserId("42")),
    }[whose]
    erased = await database.once(lambda connection: erase(connection, identities, now=NOW))
    assert erased.unnamed["outbox"] == 1
    assert await _told_removed(database, identities) == [("42", "erased")]
    delivered, removed = await rows(database)
    assert (delivered["payload"], delivered["user_id"], removed["erased"]) == (None, None, True)


async def _told_removed(database: Database, identities: Identities) -> list[tuple[str, str]]:
    events = await told(database, identities.cipher)
    return [(data["user_id"], data["reason"]) for event, data in events if event == "binding.removed"]


async def _joined(followers: Followers, *openids: tuple[str, str]) -> None:
    for account, openid in openids:
        await followers.seen(Authorized(account, OpenId(openid), unionid="u-anna"))


async def test_users_who_turn_out_to_be_one_person_are_told(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await binding("42", "oA")
    await binding("43", "oB", account="other")
    report = partial(conflicts.report, clock=lambda: NOW)
    await _joined(Followers(database, identities, report), ("main", "oA"), ("other", "oB"))
    (event, data), *more = (await told(database, identities.cipher))[2:]
    assert (event, data["user_ids"], more) == ("person.conflict", ["42", "43"], [])
    assert [(it["user_id"], it["openid"]) for it in data["identities"]] == [("42", "oA"), ("43", "oB")]


async def test_of_a_person_who_moves_one_identity_moves_and_the_others_are_removed(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await _joined(Followers(database, identities), ("main", "oA"), ("other", "oB"))
    for account, openid in (("main", "oA"), ("other", "oB")):
        await binding("42", openid, account=account)
    before = len(await rows(database))
    await binding("43", "oA", MOVE)
    moved = await _shown(database, identities, "user_id", "previous", "reason")
    assert sorted(moved[before:], key=str) == [
        ("binding.moved", "oA", "43", "42", None),
        ("binding.removed", "oB", "42", None, "replaced"),
    ]


async def test_another_client_hears_nothing(binding: Bind, database: Database, identities: Identities) -> None:
    identities.outbox = subscribed(identities.cipher, other=SHOP)
    await binding("42", "oA")
    assert await rows(database) == []


def _noticing(identities: Identities) -> None:
    """Let webhooks hear of every event, and the chat of notices alone."""
    notices = Subscription(NOTICE, EVERY, notices=True)
    identities.outbox = Outbox(identities.cipher, {"shop": [Subscription(SHOP, EVERY), notices]})


async def _noticed(database: Database) -> list[str]:
    return [row["event"] for row in await rows(database) if row["target"] == NOTICE]


async def test_the_chat_hears_of_notices_alone(binding: Bind, database: Database, identities: Identities) -> None:
    """Red when a person is told what the chat has told them."""
    _noticing(identities)
    await binding("42", "oA")
    await binding("43", "oB", source=ChangeSource.REGISTRATION)
    assert await _noticed(database) == ["binding.created"]
    assert len(await rows(database)) == 3


async def test_a_person_who_moves_with_several_identities_is_told_once(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await _joined(Followers(database, identities), ("main", "oA"), ("other", "oB"))
    for account, openid in (("main", "oA"), ("other", "oB")):
        await binding("42", openid, account=account)
    _noticing(identities)
    await binding("43", "oA", MOVE)
    assert await _noticed(database) == ["binding.moved"]
    await Bindings(database, identities).disconnect("shop", UserId("43"), now=NOW)
    assert await _noticed(database) == ["binding.moved", "binding.removed"]


async def test_a_person_whose_bindings_end_together_is_told_once(
    binding: Bind, database: Database, identities: Identities
) -> None:
    await _joined(Followers(database, identities), ("main", "oA"), ("other", "oB"))
    for account, openid in (("main", "oA"), ("other", "oB")):
        await binding("42", openid, account=account)
    await binding("42", "oC", account="third")
    _noticing(identities)
    await Bindings(database, identities).disconnect("shop", UserId("42"), now=NOW)
    assert await _noticed(database) == ["binding.removed"] * 2
