"""Who is bound: the same answers from every database, and from two who ask at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from models.binding import (
    AlreadyBound,
    Binding,
    BindResult,
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
from service.bindings.repository import Bindings, Entry, bind, owner, resolve
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)
REPLACE = Policy(rebind_replaces=True)
MOVE = Policy(takeover_moves=True)

Bind = Callable[..., Awaitable[BindResult]]


@pytest.fixture
def binding(database: Database, identities: Identities, followers: Followers) -> Bind:
    """Bind a user to a follower in a transaction of its own."""

    async def run(
        user_id: str, openid: str, policy: Policy | None = None, *, account: str = "main", **changes: Any
    ) -> BindResult:
        if await followers.get(account, OpenId(openid)) is None:
            await followers.seen(account, OpenId(openid), at=NOW)
        given: dict[str, Any] = {
            "identities": identities,
            "client": "shop",
            "user_id": UserId(user_id),
            "policy": policy or Policy(),
            "source": ChangeSource.TICKET,
            "now": NOW,
        }

        async def work(connection: AsyncConnection) -> BindResult:
            person = await identities.find(connection, account, OpenId(openid), hold=True)
            assert person is not None
            return await bind(connection, person, **(given | changes))

        return await database.attempt(work)

    return run


def bound(user_id: str, openid: str, **changes: Any) -> Binding:
    given = {"client": "shop", "account": "main", "bound_at": to_millisecond(NOW)} | changes
    return Binding(user_id=UserId(user_id), openid=OpenId(openid), **given)


async def pairs(bindings: Bindings, *users: str, client: str = "shop") -> list[tuple[str, str]]:
    found = [it for user in users for it in await bindings.of_user(client, UserId(user))]
    return [(it.user_id, it.openid) for it in found]


async def changes(bindings: Bindings, user: str) -> list[tuple[Change, ChangeSource, str | None]]:
    """Return what happened to a user, oldest first."""
    return [(it.change, it.source, it.openid) for it in reversed(await bindings.history("shop", UserId(user)))]


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


async def test_somebody_elses_wechat_is_not_taken(binding: Bind, bindings: Bindings) -> None:
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


# Each of these is some other one to a database that folds case, accents, width or trailing spaces.
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
    async with database.read() as connection:
        person = await identities.find(connection, "main", OpenId("oabc"))
        assert person is not None
        assert await owner(connection, person, client="shop") == bound("2", "oabc")
        assert await identities.find(connection, "main", OpenId("Oabc")) is None


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
    await followers.seen("main", OpenId("oA"), at=NOW)
    await followers.learned("main", OpenId("oA"), subscribed=False, unionid="uA", lang=None, now=NOW)
    expected = bound("42", "oA", unionid="uA", subscribed=False)
    assert await bindings.of_user("shop", UserId("42")) == [expected]
    assert await binding("42", "oA") == AlreadyBound(expected)


async def _known(followers: Followers, account: str, openid: str, unionid: str) -> None:
    await followers.seen(account, OpenId(openid), at=NOW)
    await followers.learned(account, OpenId(openid), subscribed=True, unionid=unionid, lang=None, now=NOW)


Resolve = Callable[[str, str], Awaitable[Binding | None]]


@pytest.fixture
def resolving(database: Database, identities: Identities) -> Resolve:
    async def run(account: str, openid: str) -> Binding | None:
        async with database.write() as connection:
            person = await identities.find(connection, account, OpenId(openid))
            assert person is not None
            return await resolve(connection, person, identities=identities, client="shop", now=NOW)

    return run


async def test_the_same_person_in_another_account_is_the_same_user(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA")
    await _known(followers, "main", "oA", "uAnna")
    await _known(followers, "second", "oB", "uAnna")
    found = await resolving("second", "oB")
    assert found == bound("42", "oB", account="second", unionid="uAnna")
    assert await resolving("second", "oB") == found
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oB")]
    assert await changes(bindings, "42") == [
        (Change.BOUND, ChangeSource.TICKET, "oA"),
        (Change.BOUND, ChangeSource.UNIONID, "oB"),
    ]


async def test_two_people_without_a_unionid_are_not_one(
    binding: Bind, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA")
    await followers.seen("main", OpenId("oA"), at=NOW)
    await followers.seen("second", OpenId("oB"), at=NOW)
    assert await resolving("second", "oB") is None


async def test_a_unionid_is_no_bridge_between_clients(
    binding: Bind, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA", client="forum")
    await _known(followers, "main", "oA", "uAnna")
    await _known(followers, "second", "oB", "uAnna")
    assert await resolving("second", "oB") is None


async def test_a_unionid_never_replaces_the_wechat_a_user_has_there(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA")
    await binding("42", "oOther", account="second")
    await _known(followers, "main", "oA", "uAnna")
    await _known(followers, "second", "oB", "uAnna")
    assert await resolving("second", "oB") is None
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oOther")]


async def test_of_two_users_of_one_person_the_older_binding_is_meant(
    binding: Bind, followers: Followers, resolving: Resolve
) -> None:
    await binding("43", "oA", now=NOW)
    await binding("42", "oC", account="third", now=NOW - timedelta(days=1))
    for account, openid in (("main", "oA"), ("second", "oB"), ("third", "oC")):
        await _known(followers, account, openid, "uAnna")
    found = await resolving("second", "oB")
    assert found is not None
    assert found.user_id == "42"


async def _one_person_in_two_accounts(followers: Followers) -> None:
    await _known(followers, "main", "oA", "uAnna")
    await _known(followers, "second", "oB", "uAnna")


async def test_a_person_bound_in_one_account_is_taken_in_the_others(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    """Red when `bind` passes nothing for what stands elsewhere: the client's policy would hold in one account."""
    await _one_person_in_two_accounts(followers)
    await binding("42", "oA")
    for policy in (Policy(), REPLACE):
        assert await binding("43", "oB", policy, account="second") == Conflict(ConflictReason.WECHAT)
    assert await pairs(bindings, "42", "43") == [("42", "oA")]
    assert isinstance(await binding("42", "oB", account="second"), Bound), "their own user is another matter"
    assert isinstance(await binding("43", "oB", account="second", client="forum"), Bound)


async def test_a_takeover_moves_a_person_from_every_account(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await _one_person_in_two_accounts(followers)
    await binding("42", "oA")
    assert isinstance(await binding("43", "oB", MOVE, account="second"), Bound)
    assert await pairs(bindings, "42", "43") == [("43", "oB")]
    assert (await changes(bindings, "42"))[-1] == (Change.MOVED, ChangeSource.TICKET, "oA")
    found = await resolving("main", "oA")
    assert found is not None
    assert found.user_id == "43"


async def test_a_user_with_another_person_in_another_account_is_taken(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await _known(followers, "main", "oA", "uAnna")
    await _known(followers, "second", "oB", "uBert")
    await binding("42", "oA")
    for policy in (Policy(), MOVE):
        assert await binding("42", "oB", policy, account="second") == Conflict(ConflictReason.USER)
    assert isinstance(await binding("42", "oB", REPLACE, account="second"), Bound)
    assert await pairs(bindings, "42") == [("42", "oB")]


async def test_a_binding_elsewhere_is_in_nobodys_way_while_a_unionid_is_missing(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await _known(followers, "main", "oA", "uAnna")
    await binding("42", "oA")
    assert isinstance(await binding("42", "oUnknown", account="second"), Bound)
    await binding("43", "oStranger")
    await _known(followers, "second", "oB", "uBert")
    assert isinstance(await binding("43", "oB", account="second"), Bound)


async def test_what_was_bound_before_the_unionid_was_known_stays_bound(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await binding("42", "oA")
    await binding("43", "oB", account="second")
    await _one_person_in_two_accounts(followers)
    assert isinstance(await binding("43", "oB", account="second"), AlreadyBound)
    assert await pairs(bindings, "42", "43") == [("42", "oA"), ("43", "oB")]


async def test_one_person_bound_to_two_users_in_two_accounts_at_once_has_one(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    """Red when `_elsewhere` does not hold the person's first row: both would see nothing and insert."""
    await _one_person_in_two_accounts(followers)
    places = [("42", "oA", "main"), ("43", "oB", "second")] * 4
    results = await asyncio.gather(*(binding(user, openid, account=account) for user, openid, account in places))
    assert len(await pairs(bindings, "42", "43")) == 1
    assert sum(isinstance(it, Bound) for it in results) == 1
    assert results.count(Conflict(ConflictReason.WECHAT)) == 4


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


async def test_what_was_agreed_to_in_one_account_goes_along_to_another(
    binding: Bind, database: Database, identities: Identities, followers: Followers
) -> None:
    """Red when `resolve` binds with a policy of its own."""
    await binding("42", "oA", Policy(consent="2026-01"))
    await followers.learned("main", OpenId("oA"), subscribed=True, unionid="uA", lang=None, now=NOW)
    await followers.seen("second", OpenId("oB"), at=NOW)
    await followers.learned("second", OpenId("oB"), subscribed=True, unionid="uA", lang=None, now=NOW)
    async with database.write() as connection:
        person = await identities.find(connection, "second", OpenId("oB"))
        assert person is not None
        found = await resolve(connection, person, identities=identities, client="shop", now=NOW)
    assert found is not None
    assert (found.user_id, found.consent) == ("42", "2026-01")


async def test_old_history_goes_and_the_binding_stays(binding: Bind, bindings: Bindings) -> None:
    await binding("42", "oA", now=NOW - timedelta(days=2))
    await binding("42", "oB", REPLACE)
    assert await bindings.purge(NOW - timedelta(days=1)) == 1
    assert await changes(bindings, "42") == [
        (Change.REPLACED, ChangeSource.TICKET, "oA"),
        (Change.BOUND, ChangeSource.TICKET, "oB"),
    ]
    assert await pairs(bindings, "42") == [("42", "oB")]
