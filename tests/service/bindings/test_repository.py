"""Bindings in SQL: the same results on every database, and for concurrent calls."""

import asyncio
from datetime import timedelta

import pytest
from binding_rows import (
    MOVE,
    NOW,
    REPLACE,
    Bind,
    bound,
    changes,
    pairs,
)

from models.binding import (
    AlreadyBound,
    Bound,
    Change,
    ChangeSource,
    Conflict,
    ConflictReason,
    Policy,
    UserId,
)
from models.events import OpenId
from models.tables.columns import to_millisecond
from service.bindings.repository import Bindings, Entry
from service.bindings.rules import owner
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database


async def test_a_new_binding_is_made_and_remembered(binding: Bind, bindings: Bindings) -> None:
    assert await binding("42", "oA") == Bound(bound("42", "oA"))
    assert await bindings.of_user("shop", UserId("42")) == [bound("42", "oA")]
    assert await bindings.history("shop", UserId("42")) == [
        Entry("main", UserId("42"), OpenId("oA"), Change.BOUND, ChangeSource.TICKET, to_millisecond(NOW))
    ]


async def test_the_same_binding_again_changes_nothing(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    again = await binding("42", "oA", Policy(rebind_replaces=True, takeover_moves=True), now=NOW + timedelta(1))
    assert again == AlreadyBound(bound("42", "oA"))
    assert len(await bindings.history("shop", UserId("42"))) == 1


async def test_a_wechat_bound_to_another_user_is_not_taken(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    for policy in (Policy(), REPLACE):
        assert await binding("43", "oA", policy) == Conflict(ConflictReason.WECHAT)
    assert await pairs(bindings, "42", "43") == [("42", "oA")]
    assert await bindings.history("shop", UserId("43")) == []


async def test_a_second_wechat_of_one_user_is_refused(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    for policy in (Policy(), MOVE):
        assert await binding("42", "oB", policy) == Conflict(ConflictReason.USER)
    assert await pairs(bindings, "42") == [("42", "oA")]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [(Policy(), ConflictReason.WECHAT), (REPLACE, ConflictReason.WECHAT), (MOVE, ConflictReason.USER)],
)
async def test_when_both_are_taken_the_wechat_is_named_first_and_nothing_changes(
    binding: Bind, bindings: Bindings, policy: Policy, reason: ConflictReason
) -> None:
    await binding("42", "oA")
    await binding("43", "oB")
    assert await binding("42", "oB", policy) == Conflict(reason)
    assert await pairs(bindings, "42", "43") == [("42", "oA"), ("43", "oB")]


async def test_rebinding_replaces_where_the_client_allows_it(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    assert await binding("42", "oB", REPLACE) == Bound(bound("42", "oB"))
    assert await pairs(bindings, "42") == [("42", "oB")]
    assert await changes(bindings, "42") == [
        (Change.BOUND, ChangeSource.TICKET, "oA"),
        (Change.REPLACED, ChangeSource.TICKET, "oA"),
        (Change.BOUND, ChangeSource.TICKET, "oB"),
    ]


async def test_a_takeover_moves_where_the_client_allows_it(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    assert await binding("43", "oA", MOVE) == Bound(bound("43", "oA"))
    assert await pairs(bindings, "42", "43") == [("43", "oA")]
    assert await changes(bindings, "42") == [
        (Change.BOUND, ChangeSource.TICKET, "oA"),
        (Change.MOVED, ChangeSource.TICKET, "oA"),
    ]


async def test_both_allowed_clear_both_out_of_the_way(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    await binding("43", "oB")
    both = Policy(rebind_replaces=True, takeover_moves=True)
    assert await binding("42", "oB", both) == Bound(bound("42", "oB"))
    assert await pairs(bindings, "42", "43") == [("42", "oB")]


async def test_another_client_and_another_account_know_nothing_of_it(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    assert isinstance(await binding("43", "oA", client="forum"), Bound)
    assert isinstance(await binding("43", "oA", account="second"), Bound)
    assert await pairs(bindings, "42", "43", client="forum") == [("43", "oA")]


# A database that folds case, accents, width or trailing spaces takes some of these for others.
ALIKE = (
    *("Anna", "anna", "Änna", "anna ", " anna", "ａnna", "anna\u0301", "ánna", "ańna"),
    *("😀", "😁", "ss", "ß", "1", "01", "o_A", "oxA", "o%A"),
)


async def test_identifiers_that_look_alike_stay_distinct(binding: Bind, bindings: Bindings) -> None:
    for number, user in enumerate(ALIKE):
        assert isinstance(await binding(user, f"o{number}"), Bound), user
    for number, user in enumerate(ALIKE):
        assert await pairs(bindings, user) == [(user, f"o{number}")]
        assert len(await bindings.history("shop", UserId(user))) == 1


async def test_openids_that_differ_in_case_stay_distinct(
    binding: Bind, database: Database, identities: Identities
) -> None:
    for user, openid in (("1", "oAbC"), ("2", "oabc"), ("3", "oABC")):
        assert isinstance(await binding(user, openid), Bound)
    async with database.reading() as connection:
        person = await connection.run_sync(identities.find, "main", OpenId("oabc"))
        assert person is not None
        assert await connection.run_sync(owner, person, client="shop") == bound("2", "oabc")
        assert await connection.run_sync(identities.find, "main", OpenId("Oabc")) is None


async def test_the_longest_identifiers_fit(binding: Bind, bindings: Bindings) -> None:
    user = "😀" * 128
    wide = {"client": "c" * 64, "account": "a" * 64}
    await binding(user, "o" * 64, **wide)
    assert await pairs(bindings, user, client="c" * 64) == [(user, "o" * 64)]


async def test_users_who_bind_one_wechat_at_once_do_not_share_it(binding: Bind, bindings: Bindings) -> None:
    users = [str(number) for number in range(8)]
    results = await asyncio.gather(*(binding(user, "oA") for user in users))
    assert len(await pairs(bindings, *users)) == 1
    assert sum(isinstance(it, Bound) for it in results) == 1
    assert results.count(Conflict(ConflictReason.WECHAT)) == 7


async def test_users_who_take_one_wechat_from_each_other_at_once_do_not_share_it(
    binding: Bind, bindings: Bindings
) -> None:
    users = ["1", "2", "3"]
    results = await asyncio.gather(*(binding(user, "oA", MOVE) for user in users))
    assert all(isinstance(it, Bound) for it in results)
    assert len(await pairs(bindings, *users)) == 1
    moves = [it for user in users for it in await changes(bindings, user) if it[0] is Change.MOVED]
    assert len(moves) == 2


async def test_one_user_who_binds_two_wechats_at_once_has_one(binding: Bind, bindings: Bindings) -> None:
    results = await asyncio.gather(*(binding("42", f"o{number}") for number in range(8)))
    assert len(await pairs(bindings, "42")) == 1
    assert results.count(Conflict(ConflictReason.USER)) == 7


async def test_one_binding_made_many_times_at_once_is_made_once(binding: Bind, bindings: Bindings) -> None:
    results = await asyncio.gather(*(binding("42", "oA") for _ in range(8)))
    assert sum(isinstance(it, Bound) for it in results) == 1
    assert results.count(AlreadyBound(bound("42", "oA"))) == 7
    assert len(await bindings.history("shop", UserId("42"))) == 1


async def test_a_site_disconnects_one_account_or_all(binding: Bind, bindings: Bindings) -> None:
    for account in ("third", "main", "second"):
        await binding("42", "oA", account=account)
    await binding("43", "oB")
    later = NOW + timedelta(hours=1)
    assert await bindings.disconnect("shop", UserId("42"), account="second", now=later) == 1
    assert await bindings.disconnect("shop", UserId("42"), account="second", now=later) == 0
    assert [it.account for it in await bindings.of_user("shop", UserId("42"))] == ["main", "third"]
    assert await bindings.disconnect("shop", UserId("42"), account=None, now=later) == 2
    assert await pairs(bindings, "42", "43") == [("43", "oB")]
    [last] = await bindings.history("shop", UserId("42"), limit=1)
    assert (last.change, last.source, last.at) == (Change.DISCONNECTED, ChangeSource.SITE, to_millisecond(later))


async def test_disconnecting_twice_at_once_counts_once(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    removed = await asyncio.gather(
        *(bindings.disconnect("shop", UserId("42"), account=None, now=NOW) for _ in range(6))
    )
    assert sum(removed) == 1
    assert len(await bindings.history("shop", UserId("42"))) == 2


async def test_a_disconnected_wechat_may_be_bound_by_another(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA")
    await bindings.disconnect("shop", UserId("42"), account=None, now=NOW)
    assert isinstance(await binding("43", "oA"), Bound)


async def test_a_binding_tells_what_is_known_of_the_follower(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await binding("42", "oA")
    await followers.seen(Sender("main", OpenId("oA"), NOW))
    await followers.learned("main", OpenId("oA"), unionid="uA", lang=None, asked_at=NOW)
    await followers.gone("main", OpenId("oA"), since=NOW)
    expected = bound("42", "oA", unionid="uA", subscribed=False)
    assert await bindings.of_user("shop", UserId("42")) == [expected]
    assert await binding("42", "oA") == AlreadyBound(expected)


async def test_what_was_agreed_to_is_kept_with_the_binding(binding: Bind, bindings: Bindings) -> None:
    """Red when `bind` leaves consent out, or `_agreed` returns at once."""
    for version, kept in ((None, None), ("2026-01", "2026-01"), (None, "2026-01"), ("2026-02", "2026-02")):
        told = await binding("42", "oA", Policy(consent=version))
        assert isinstance(told, Bound | AlreadyBound)
        assert told.binding.consent == kept
        assert [it.consent for it in await bindings.of_user("shop", UserId("42"))] == [kept]
    other = await binding("43", "oB", Policy(consent="2026-02"))
    assert isinstance(other, Bound)
    assert other.binding.consent == "2026-02"
    assert [it.change for it in await bindings.history("shop", UserId("42"))] == [Change.BOUND]


async def test_old_history_goes_and_the_binding_stays(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA", now=NOW - timedelta(days=2))
    await binding("42", "oB", REPLACE)
    assert await bindings.purge(NOW - timedelta(days=1)) == 1
    assert await changes(bindings, "42") == [
        (Change.REPLACED, ChangeSource.TICKET, "oA"),
        (Change.BOUND, ChangeSource.TICKET, "oB"),
    ]
    assert await pairs(bindings, "42") == [("42", "oB")]
