"""One person in several accounts of a client: found by unionid, bound to one user."""

import asyncio
from datetime import timedelta

from binding_rows import (
    MOVE,
    NOW,
    REPLACE,
    Bind,
    Resolve,
    bound,
    changes,
    known_follower,
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
)
from models.events import OpenId
from service.bindings.repository import Bindings
from service.identities.followers import Followers, Sender


async def test_the_same_person_in_another_account_is_the_same_user(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA")
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "second", "oB", "uAnna")
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
    await followers.seen(Sender("main", OpenId("oA"), NOW))
    await followers.seen(Sender("second", OpenId("oB"), NOW))
    assert await resolving("second", "oB") is None


async def test_a_unionid_is_no_bridge_between_clients(
    binding: Bind, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA", client="forum")
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "second", "oB", "uAnna")
    assert await resolving("second", "oB") is None


async def test_a_unionid_never_replaces_the_wechat_a_user_has_there(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await binding("42", "oA")
    await binding("42", "oOther", account="second")
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "second", "oB", "uAnna")
    assert await resolving("second", "oB") is None
    assert await pairs(bindings, "42") == [("42", "oA"), ("42", "oOther")]


async def test_of_two_users_of_one_person_the_older_binding_is_meant(
    binding: Bind, followers: Followers, resolving: Resolve
) -> None:
    await binding("43", "oA", now=NOW)
    await binding("42", "oC", account="third", now=NOW - timedelta(days=1))
    for account, openid in (("main", "oA"), ("second", "oB"), ("third", "oC")):
        await known_follower(followers, account, openid, "uAnna")
    found = await resolving("second", "oB")
    assert found is not None
    assert found.user_id == "42"


async def one_person_in_two_accounts(followers: Followers) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "second", "oB", "uAnna")


async def test_a_person_bound_in_one_account_is_taken_in_the_others(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    """Red when `bind` passes nothing for what stands elsewhere: the client's policy would hold in one account."""
    await one_person_in_two_accounts(followers)
    await binding("42", "oA")
    for policy in (Policy(), REPLACE):
        assert await binding("43", "oB", policy, account="second") == Conflict(ConflictReason.WECHAT)
    assert await pairs(bindings, "42", "43") == [("42", "oA")]
    assert isinstance(await binding("42", "oB", account="second"), Bound), "their own user is another matter"
    assert isinstance(await binding("43", "oB", account="second", client="forum"), Bound)


async def test_a_takeover_moves_a_person_from_every_account(
    binding: Bind, bindings: Bindings, followers: Followers, resolving: Resolve
) -> None:
    await one_person_in_two_accounts(followers)
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
    await known_follower(followers, "main", "oA", "uAnna")
    await known_follower(followers, "second", "oB", "uBert")
    await binding("42", "oA")
    for policy in (Policy(), MOVE):
        assert await binding("42", "oB", policy, account="second") == Conflict(ConflictReason.USER)
    assert isinstance(await binding("42", "oB", REPLACE, account="second"), Bound)
    assert await pairs(bindings, "42") == [("42", "oB")]


async def test_a_binding_elsewhere_is_no_conflict_while_a_unionid_is_missing(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await binding("42", "oA")
    assert isinstance(await binding("42", "oUnknown", account="second"), Bound)
    await binding("43", "oStranger")
    await known_follower(followers, "second", "oB", "uBert")
    assert isinstance(await binding("43", "oB", account="second"), Bound)


async def test_what_was_bound_before_the_unionid_was_known_stays_bound(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    await binding("42", "oA")
    await binding("43", "oB", account="second")
    await one_person_in_two_accounts(followers)
    assert isinstance(await binding("43", "oB", account="second"), AlreadyBound)
    assert await pairs(bindings, "42", "43") == [("42", "oA"), ("43", "oB")]


async def test_one_person_bound_to_two_users_in_two_accounts_at_once_has_one(
    binding: Bind, bindings: Bindings, followers: Followers
) -> None:
    """Red when `_place` makes no binding primary: both would see nothing and insert."""
    await one_person_in_two_accounts(followers)
    places = [("42", "oA", "main"), ("43", "oB", "second")] * 4
    results = await asyncio.gather(*(binding(user, openid, account=account) for user, openid, account in places))
    assert len(await pairs(bindings, "42", "43")) == 1
    assert sum(isinstance(it, Bound) for it in results) == 1
    assert results.count(Conflict(ConflictReason.WECHAT)) == 4


async def test_what_was_agreed_to_in_one_account_goes_along_to_another(
    binding: Bind, resolving: Resolve, followers: Followers
) -> None:
    """Red when `resolve` binds with a policy of its own."""
    await binding("42", "oA", Policy(consent="2026-01"))
    await followers.learned("main", OpenId("oA"), unionid="uA", lang=None, asked_at=NOW)
    await followers.seen(Sender("second", OpenId("oB"), NOW))
    await followers.learned("second", OpenId("oB"), unionid="uA", lang=None, asked_at=NOW)
    found = await resolving("second", "oB")
    assert found is not None
    assert (found.user_id, found.consent) == ("42", "2026-01")
