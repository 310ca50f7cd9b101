"""One user for a person and one person for a user, decided by constraints; identities disconnected alone.

Covers: service.bindings.rows.

Red when `_place` sets no primary binding or relies on one that it does not lock, when `bind` leaves out what is
bound elsewhere, or `remove_row` keeps no separation.
"""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from binding_rows import MOVE, NOW, REPLACE, Bind, Resolve, changes, known_follower, pairs

from models.binding import AlreadyBound, Bound, Change, ChangeSource, Conflict, ConflictReason, UserId
from models.events import OpenId
from models.tables.bindings import bindings as table
from service.bindings.repository import Bindings
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database

ANNA = (("main", "oA"), ("second", "oB"), ("third", "oC"))
USERS = ("42", "43", "44")


@pytest.fixture
async def anna(followers: Followers) -> None:
    """A person with three identities that were joined, none of them bound."""
    for account, openid in ANNA:
        await known_follower(followers, account, openid, "uAnna")


async def primaries(database: Database) -> int:
    count = sa.select(sa.func.count(table.c.primary_of))
    return await database.read(lambda connection: connection.execute(count).scalar_one())


@pytest.mark.usefixtures("anna")
async def test_identities_of_one_person_that_bind_different_users_at_once_bind_one(
    binding: Bind, bindings: Bindings, database: Database
) -> None:
    """Red when the index of client and `primary_of` is not unique: each would see no other binding."""
    for _ in range(5):
        calls = [binding(user, openid, account=at) for user, (at, openid) in zip(USERS, ANNA, strict=True)]
        results = await asyncio.gather(*calls)
        assert sorted(isinstance(it, Bound) for it in results) == [False, False, True]
        assert results.count(Conflict(ConflictReason.WECHAT)) == 2
        assert len(await pairs(bindings, *USERS)) == await primaries(database) == 1
        for user in USERS:
            await bindings.disconnect("shop", UserId(user), now=NOW)


async def test_a_user_who_is_bound_to_two_persons_at_once_gets_one(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    """Red when the index of client, `primary_in` and user is not unique."""
    for number, (account, openid) in enumerate(ANNA):
        await known_follower(followers, account, openid, f"u{number}")
    for _ in range(5):
        results = await asyncio.gather(*(binding("42", openid, account=account) for account, openid in ANNA))
        assert sorted(isinstance(it, Bound) for it in results) == [False, False, True]
        assert results.count(Conflict(ConflictReason.USER)) == 2
        await bindings.disconnect("shop", UserId("42"), now=NOW)


@pytest.mark.usefixtures("anna")
async def test_a_disconnect_takes_along_what_a_login_adds_at_the_same_time(
    binding: Bind, resolving: Resolve, bindings: Bindings
) -> None:
    """Red when `_place` does not lock the primary binding, or `disconnect` looks once."""
    for _ in range(10):
        await binding("42", "oA")
        await asyncio.gather(
            resolving("second", "oB"), bindings.disconnect("shop", UserId("42"), now=NOW), resolving("third", "oC")
        )
        assert await pairs(bindings, "42") == []


@pytest.mark.usefixtures("anna")
async def test_identities_are_added_to_the_binding_one_by_one(
    binding: Bind, resolving: Resolve, bindings: Bindings, database: Database
) -> None:
    await binding("42", "oA")
    for account, openid in ANNA[1:]:
        found = await resolving(account, openid)
        assert found is not None
        assert found.user_id == "42"
    assert await pairs(bindings, "42") == [("42", openid) for _, openid in ANNA]
    assert await primaries(database) == 1


@pytest.mark.usefixtures("anna")
async def test_a_binding_stands_for_its_person_after_the_primary_one_was_removed(
    binding: Bind, resolving: Resolve, bindings: Bindings, database: Database
) -> None:
    await binding("42", "oA")
    await resolving("second", "oB")
    await bindings.disconnect("shop", UserId("42"), account="main", now=NOW)
    assert await primaries(database) == 0
    assert await binding("43", "oC", account="third") == Conflict(ConflictReason.WECHAT)
    found = await resolving("third", "oC")
    assert found is not None
    assert found.user_id == "42"
    assert await primaries(database) == 1


@pytest.mark.usefixtures("anna")
async def test_an_identity_disconnected_alone_is_joined_again_only_after_it_was_bound_on_purpose(
    binding: Bind, resolving: Resolve, bindings: Bindings
) -> None:
    await binding("42", "oA")
    await resolving("second", "oB")
    assert await bindings.disconnect("shop", UserId("42"), account="second", now=NOW) == 1
    for _ in range(2):
        assert await resolving("second", "oB") is None
    await bindings.disconnect("shop", UserId("42"), now=NOW)
    await binding("42", "oA")
    assert await resolving("second", "oB") is None, "it was not bound since"
    assert isinstance(await binding("42", "oB", account="second"), Bound)
    await bindings.disconnect("shop", UserId("42"), now=NOW)
    await binding("42", "oA")
    assert await resolving("second", "oB") is not None


async def test_an_identity_disconnected_before_its_unionid_was_known_stays_apart(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers
) -> None:
    await binding("42", "oA")
    await binding("42", "oB", account="second")
    await bindings.disconnect("shop", UserId("42"), account="second", now=NOW)
    for account, openid in ANNA[:2]:
        await known_follower(followers, account, openid, "uAnna")
    assert await resolving("second", "oB") is None
    assert await resolving("main", "oA") is not None


@pytest.mark.usefixtures("anna")
async def test_another_client_is_not_concerned(
    binding: Bind, resolving: Resolve, bindings: Bindings, database: Database
) -> None:
    await binding("42", "oA")
    await binding("7", "oB", account="second", client="forum")
    await bindings.disconnect("forum", UserId("7"), account="second", now=NOW)
    assert await resolving("second", "oB") is not None
    assert await primaries(database) == 1


async def test_what_two_persons_were_bound_to_stays_when_they_turn_out_to_be_one(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers
) -> None:
    """Red when `resolve` takes the newest binding, or `bind` only looks at the primary one."""
    await known_follower(followers, "main", "oA", "uOne")
    await known_follower(followers, "second", "oB", "uTwo")
    await binding("43", "oB", account="second", now=NOW - timedelta(days=1))
    await binding("42", "oA")
    await known_follower(followers, "second", "oB", "uOne")  # WeChat says so since today
    for account, openid, user in (("main", "oA", "42"), ("second", "oB", "43")):
        found = await resolving(account, openid)
        assert found is not None
        assert found.user_id == user
    await known_follower(followers, "third", "oC", "uOne")
    third = await resolving("third", "oC")
    assert third is not None
    assert third.user_id == "43", "the oldest binding"
    assert await binding("44", "oC", account="third") == Conflict(ConflictReason.WECHAT)
    assert isinstance(await binding("43", "oC", account="third"), AlreadyBound)
    assert isinstance(await binding("44", "oC", MOVE, account="third"), Bound)
    assert await pairs(bindings, "42", "43", "44") == [("44", "oC")], "a takeover moves the whole person"
    assert (await changes(bindings, "42"))[-1] == (Change.MOVED, ChangeSource.TICKET, "oA")


@pytest.mark.usefixtures("anna")
async def test_replacing_a_wechat_replaces_all_identities_of_its_person(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers
) -> None:
    """Red when `_remove_with_others` removes the conflicting bindings alone."""
    await binding("42", "oA")
    await resolving("second", "oB")
    await followers.seen(Sender("main", OpenId("oBert"), NOW))  # without a unionid
    assert isinstance(await binding("42", "oBert", REPLACE), Bound)
    assert await pairs(bindings, "42") == [("42", "oBert")]


@pytest.mark.usefixtures("anna")
async def test_a_takeover_of_one_identity_moves_all_and_an_identity_alone_moves_alone(
    binding: Bind, resolving: Resolve, bindings: Bindings
) -> None:
    await binding("42", "oA")
    await resolving("second", "oB")
    await binding("42", "oAlone", account="fourth")  # no unionid: perhaps another person
    assert isinstance(await binding("43", "oC", MOVE, account="third"), Bound)
    assert await pairs(bindings, "42", "43") == [("42", "oAlone"), ("43", "oC")]


async def test_a_user_may_hold_a_person_of_each_open_platform_account(
    binding: Bind, bindings: Bindings, followers: Followers, identities: Identities
) -> None:
    """Nothing proves them different. Red when the constraint leaves the Open Platform account out."""
    identities.open_platforms = {"main": "acme", "second": "rival", "third": "rival"}
    for account, openid in ANNA[:2]:
        await known_follower(followers, account, openid, f"u{account}")
    await binding("42", "oA")
    assert isinstance(await binding("42", "oB", account="second"), Bound)
    await known_follower(followers, "third", "oC", "uOther")
    assert await binding("42", "oC", account="third") == Conflict(ConflictReason.USER)
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oB")]


async def test_a_person_joined_to_an_older_one_of_the_same_user_can_bind_more(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers, database: Database
) -> None:
    """Red when `_place` leaves the primary mark of the person that is no more: the insert would fail for ever."""
    await binding("42", "oA")
    await known_follower(followers, "second", "oB", "uAnna")
    await binding("42", "oB", account="second")
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "third", "oC", "uAnna")
    assert await resolving("third", "oC") is not None
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oB"), ("42", "oC")]
    assert await primaries(database) == 1


@pytest.mark.usefixtures("anna")
async def test_a_new_openid_in_an_account_takes_the_place_of_the_former_and_of_no_other(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers
) -> None:
    """Red when `resolve` prefers a binding elsewhere, or `_remove_with_others` takes what may stay."""
    await binding("42", "oB", account="second", now=NOW - timedelta(days=1))
    await resolving("main", "oA")
    await known_follower(followers, "main", "oNew", "uAnna")
    found = await resolving("main", "oNew")
    assert found is not None
    assert await pairs(bindings, "42") == [("42", "oNew"), ("42", "oB")]
    await known_follower(followers, "main", "oNewer", "uAnna")
    assert isinstance(await binding("42", "oNewer", REPLACE), Bound)
    assert await pairs(bindings, "42") == [("42", "oNewer"), ("42", "oB")]


async def test_a_user_of_two_persons_is_recognised_at_the_other_identities_of_each(
    binding: Bind, resolving: Resolve, bindings: Bindings, followers: Followers
) -> None:
    """Red when `_place` makes a second primary binding for a user who has one: the login would fail for ever."""
    await binding("42", "oA")
    await known_follower(followers, "second", "oB", "uBen")
    await binding("42", "oB", account="second")
    await known_follower(followers, "main", "oA", "uAnna")  # known only now to be two persons
    await known_follower(followers, "third", "oC", "uAnna")
    await known_follower(followers, "fourth", "oD", "uBen")
    for account, openid in (("third", "oC"), ("fourth", "oD")):
        found = await resolving(account, openid)
        assert found is not None
        assert found.user_id == "42"
    assert await bindings.disconnect("shop", UserId("42"), now=NOW) == 4
