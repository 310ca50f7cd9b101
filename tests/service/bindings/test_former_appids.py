"""An openid belongs to the appid it was seen under: to another appid of the same account it is a stranger's.

Red when `Identities.them` finds an openid under any appid, `Identities.add` stores none, `resolve` looks in
other accounts only, or `former_appids` counts the present appid.
"""

import pytest
import sqlalchemy as sa
from binding_rows import NOW, REPLACE, Bind, Resolve, changes, known_follower, pairs

from models.binding import AlreadyBound, Bound, Change, ChangeSource, Conflict, ConflictReason, UserId
from models.events import OpenId
from models.tables.identities import followers as identities_table
from service.bindings.former_appids import FormerAppid, former_appids, unconfigured
from service.bindings.repository import Bindings
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database

OLD, NEW = {"main": "wxOld"}, {"main": "wxNew"}
ANNA = OpenId("oAnna")


@pytest.fixture
def old(identities: Identities) -> Identities:
    identities.appids = OLD
    return identities


async def test_an_openid_keeps_the_appid_it_was_seen_under(
    old: Identities, binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await binding("42", ANNA)
    follower = await followers.get("main", ANNA)
    assert follower is not None
    assert follower.appid == "wxOld"
    for appids in (OLD, NEW, {}):
        old.appids = appids
        [found] = await bindings.of_user("shop", UserId("42"))
        assert (found.openid, found.appid) == (ANNA, "wxOld")


async def test_the_same_openid_under_another_appid_is_another_person(
    old: Identities, binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", ANNA)
    old.appids = NEW
    assert await followers.get("main", ANNA) is None
    await followers.seen(Sender("main", ANNA, NOW))
    assert await resolving("main", ANNA) is None
    assert isinstance(await binding("43", ANNA), Bound)
    assert [one.appid for one in await bindings.of_user("shop", UserId("43"))] == ["wxNew"]
    old.appids = OLD
    assert isinstance(await binding("42", ANNA), AlreadyBound)


async def test_one_appids_unsubscribe_erases_nothing_of_another(
    old: Identities, binding: Bind, bindings: Bindings, erasure: FollowerErasure
) -> None:
    await binding("42", ANNA)
    old.appids = NEW
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    assert await pairs(bindings, "42") == [("42", ANNA)]
    old.appids = {}  # as `privacy erase` does: it finds the openid under any appid
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    assert await pairs(bindings, "42") == []


async def test_a_user_bound_under_a_former_appid_is_bound_anew_only_where_the_client_replaces(
    old: Identities, binding: Bind, bindings: Bindings
) -> None:
    await binding("42", ANNA)
    old.appids = NEW
    assert await binding("42", "oAnnaAnew") == Conflict(ConflictReason.USER)
    assert isinstance(await binding("42", "oAnnaAnew", REPLACE), Bound)
    assert await pairs(bindings, "42") == [("42", "oAnnaAnew")]


async def test_a_unionid_recognises_the_person_under_the_new_appid(
    old: Identities, binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", ANNA)
    await known_follower(followers, "main", ANNA, "uAnna")
    old.appids = NEW
    await known_follower(followers, "main", "oAnnaAnew", "uAnna")
    found = await resolving("main", "oAnnaAnew")
    assert found is not None
    assert (found.user_id, found.appid) == ("42", "wxNew")
    assert await pairs(bindings, "42") == [("42", "oAnnaAnew")]
    assert (await changes(bindings, "42"))[-2:] == [
        (Change.REPLACED, ChangeSource.UNIONID, ANNA),
        (Change.BOUND, ChangeSource.UNIONID, "oAnnaAnew"),
    ]


async def test_a_person_known_by_unionid_is_taken_under_the_new_appid_too(
    old: Identities, binding: Bind, followers: Followers
) -> None:
    """Red when `_standing` looks in other accounts only."""
    await binding("42", ANNA)
    await known_follower(followers, "main", ANNA, "uAnna")
    old.appids = NEW
    await known_follower(followers, "main", "oAnnaAnew", "uAnna")
    assert await binding("43", "oAnnaAnew") == Conflict(ConflictReason.WECHAT)


async def test_bindings_of_former_appids_and_of_lost_accounts_are_counted(
    old: Identities, binding: Bind, followers: Followers, database: Database
) -> None:
    old.appids = {"main": "wxOld", "second": "wxSecond"}
    await binding("42", ANNA)
    await binding("43", "oBen")
    await binding("44", "oSecond", account="second")
    old.appids = {"main": "aOlder"}
    await binding("45", "oOlder")
    await followers.seen(Sender("main", OpenId("oNobody"), NOW))
    now = {"main": "wxNew"}
    old.appids = now
    await binding("46", "oNew")
    assert await former_appids(database, now) == [
        FormerAppid("main", "aOlder", "wxNew", 1),
        FormerAppid("main", "wxOld", "wxNew", 2),
    ]
    assert await former_appids(database, {"second": "wxSecond"}) == []
    assert await unconfigured(database, now) == {"second": 1}
    assert await unconfigured(database, {}) == {"main": 4, "second": 1}


async def test_the_line_names_both_appids_and_the_count() -> None:
    line = str(FormerAppid("main", "wxOld", "wxNew", 1200))
    for part in ("wxOld", "wxNew", "wxOld: 1,200."):
        assert part in line


async def test_a_row_from_before_counts_as_of_the_present_appid(
    identities: Identities, binding: Bind, bindings: Bindings, followers: Followers, database: Database
) -> None:
    """As a process of the version before adds it beside this one; red when `them` leaves UNKNOWN out."""
    await binding("42", ANNA)
    async with database.reading() as connection:
        assert await connection.scalar(sa.select(identities_table.c.appid)) == ""
    assert [one.appid for one in await bindings.of_user("shop", UserId("42"))] == [None]
    identities.appids = OLD
    await followers.seen(Sender("main", ANNA, NOW))
    assert [(one.openid, one.appid) for one in await bindings.of_user("shop", UserId("42"))] == [(ANNA, "wxOld")]
    assert isinstance(await binding("42", ANNA), AlreadyBound)
    assert await former_appids(database, OLD) == []
