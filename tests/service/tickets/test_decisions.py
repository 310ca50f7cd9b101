"""How tickets end: once, together with what they did, whoever comes at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models.binding import AlreadyBound, Bound, Change, ChangeSource, Conflict, ConflictReason, Policy, UserId
from models.events import OpenId
from models.language import Lang
from models.scene import Claim, Kind, TicketHeader
from models.tables.columns import to_millisecond
from models.ticket import Ending, Outcome, Reason, Status, TicketId, Via
from service.bindings.repository import Bindings
from service.identities.followers import Followers
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)
KEPT = to_millisecond(NOW)
BEFORE = NOW - timedelta(seconds=60)
EXPIRES = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
ANNA, BEN = OpenId("oAnna"), OpenId("oBen")
USER = UserId("42")

Confirm = Callable[..., Awaitable[Ending]]


def claim(ticket: str = "t1", user_id: str | None = None, **changes: Any) -> Claim:
    kind = Kind.LOGIN_PAGE if user_id is None else Kind.BIND
    head = TicketHeader(TicketId(ticket), kind, Lang.ZH, EXPIRES)
    return Claim(**({"head": head, "client": "shop", "account": "main", "user_id": user_id} | changes))


def cancelled(ticket: str = "t1", **changes: Any) -> Ending:
    given = {"client": "shop", "status": Status.CANCELLED, "answered_at": NOW, "expires_at": EXPIRES}
    return Ending(ticket=TicketId(ticket), **(given | changes))


@pytest.fixture
def confirm(decisions: TicketDecisions, followers: Followers) -> Confirm:
    """Confirm as somebody who follows, as everybody does who scans."""

    async def run(what: Claim, openid: OpenId = ANNA, policy: Policy | None = None, now: datetime = NOW) -> Ending:
        await followers.seen(what.account, openid, at=NOW)
        ending = await decisions.confirm(what, openid, policy=policy or Policy(), state="s😀", now=now)
        assert ending is not None
        return ending

    return run


async def bound(confirm: Confirm, user_id: str = "42", openid: OpenId = ANNA) -> None:
    ending = await confirm(claim(f"bind-{user_id}-{openid}", user_id), openid)
    assert ending.outcome is Outcome.BOUND


async def redeemed(decisions: TicketDecisions, confirm: Confirm) -> TicketId:
    """The ticket of a registration that is ready to be used."""
    ending = await confirm(claim())
    assert ending.outcome is Outcome.REGISTER
    assert await decisions.redeem(ending.ticket, answered_after=BEFORE, now=NOW) is not None
    return ending.ticket


async def register(decisions: TicketDecisions, ticket: TicketId, **changes: Any) -> Any:
    given = {"client": "shop", "user_id": USER, "policy": Policy(), "now": NOW}
    return await decisions.register(ticket, **(given | changes))


# --- closing


async def test_a_refusal_stands_as_it_was_given(
    endings: Endings, decisions: TicketDecisions, followers: Followers
) -> None:
    await followers.seen("main", ANNA, at=NOW)
    refused = cancelled(
        status=Status.REJECTED, reason=Reason.WRONG_NUMBER, openid=ANNA, account="main", via=Via.PAGE, state="s"
    )
    stands = await decisions.close(refused)
    assert stands == replace(refused, answered_at=KEPT)
    assert await endings.of(refused.ticket) == stands


async def test_a_refusal_by_somebody_who_was_erased_names_nobody(
    endings: Endings, decisions: TicketDecisions
) -> None:
    refused = cancelled(status=Status.REJECTED, reason=Reason.DECLINED, openid=ANNA, account="main")
    stands = await decisions.close(refused)
    assert stands == replace(refused, answered_at=KEPT, openid=None)
    assert await endings.of(refused.ticket) == stands


async def test_the_first_ending_stands(endings: Endings, decisions: TicketDecisions) -> None:
    first = await decisions.close(cancelled())
    second = cancelled(status=Status.REJECTED, reason=Reason.DECLINED, answered_at=NOW + timedelta(seconds=1))
    assert await decisions.close(second) == first
    assert await endings.of(second.ticket) == first


async def test_tickets_that_differ_in_case_are_two(endings: Endings, decisions: TicketDecisions) -> None:
    await decisions.close(cancelled("tA"))
    assert await endings.of(TicketId("ta")) is None
    assert (await decisions.close(cancelled("ta", client="forum"))).client == "forum"


# --- confirming


async def test_a_login_of_somebody_unknown_ends_in_a_registration(endings: Endings, confirm: Confirm) -> None:
    ending = await confirm(claim())
    assert ending == Ending(
        ticket=TicketId("t1"),
        client="shop",
        status=Status.CONFIRMED,
        answered_at=KEPT,
        expires_at=EXPIRES,
        account="main",
        outcome=Outcome.REGISTER,
        openid=ANNA,
        via=Via.PAGE,
        state="s😀",
    )
    assert await endings.of(ending.ticket) == ending


async def test_a_bind_binds(endings: Endings, bindings: Bindings, confirm: Confirm) -> None:
    ending = await confirm(claim(user_id="42"))
    assert (ending.status, ending.outcome, ending.user_id) == (Status.CONFIRMED, Outcome.BOUND, "42")
    assert ending.via is Via.BACKEND
    assert await endings.of(ending.ticket) == ending
    [made] = await bindings.of_user("shop", USER)
    assert (made.openid, made.bound_at) == (ANNA, KEPT)


async def test_a_login_of_somebody_bound_names_their_user(confirm: Confirm) -> None:
    await bound(confirm)
    ending = await confirm(claim())
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")


async def test_another_clients_binding_lets_nobody_in(confirm: Confirm) -> None:
    await bound(confirm)
    assert (await confirm(claim(client="forum"))).outcome is Outcome.REGISTER


async def test_a_login_through_another_account_finds_the_same_person(
    confirm: Confirm, followers: Followers, bindings: Bindings
) -> None:
    await bound(confirm)
    for account, openid in (("main", ANNA), ("second", BEN)):
        await followers.seen(account, openid, at=NOW)
        await followers.learned(account, openid, subscribed=True, unionid="uAnna", lang=None, now=NOW)
    ending = await confirm(claim(account="second"), BEN)
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")
    assert [it.account for it in await bindings.of_user("shop", USER)] == ["main", "second"]


async def test_a_bind_of_what_is_bound_already_says_so(confirm: Confirm) -> None:
    await bound(confirm)
    assert (await confirm(claim(user_id="42"))).outcome is Outcome.ALREADY_BOUND


@pytest.mark.parametrize(
    "met", [("43", ANNA, Reason.WECHAT_TAKEN), ("42", BEN, Reason.USER_TAKEN)], ids=["wechat", "user"]
)
async def test_a_bind_that_meets_another_is_rejected_for_good(
    endings: Endings, bindings: Bindings, confirm: Confirm, met: tuple[str, OpenId, Reason]
) -> None:
    user_id, openid, reason = met
    await bound(confirm)
    ending = await confirm(claim(user_id=user_id), openid)
    assert (ending.status, ending.outcome, ending.reason) == (Status.REJECTED, None, reason)
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert await confirm(claim(user_id=user_id), openid) == ending
    assert await bindings.of_user("shop", UserId(user_id)) == []
    assert await endings.of(ending.ticket) == ending


async def test_a_clients_policy_lets_a_bind_replace_and_move(bindings: Bindings, confirm: Confirm) -> None:
    await bound(confirm)
    replacing = await confirm(claim("t1", "42"), BEN, Policy(rebind_replaces=True))
    moving = await confirm(claim("t2", "43"), BEN, Policy(takeover_moves=True))
    assert replacing.outcome is moving.outcome is Outcome.BOUND
    assert await bindings.of_user("shop", USER) == []


async def test_an_answer_again_gives_the_same_ending_and_binds_nothing_twice(
    bindings: Bindings, confirm: Confirm
) -> None:
    first = await confirm(claim(user_id="42"))
    assert await confirm(claim(user_id="42"), now=NOW + timedelta(seconds=5)) == first
    assert len(await bindings.history("shop", USER)) == 1


async def test_an_answer_to_a_cancelled_ticket_binds_nobody(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    stands = await decisions.close(cancelled())
    assert await confirm(claim(user_id="42")) == stands
    assert await bindings.of_user("shop", USER) == []
    assert await bindings.history("shop", USER) == []


async def test_an_answer_to_a_cancelled_ticket_replaces_nobodys_binding(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    await bound(confirm)
    await decisions.close(cancelled())
    await confirm(claim(user_id="42"), BEN, Policy(rebind_replaces=True))
    assert [it.openid for it in await bindings.of_user("shop", USER)] == [ANNA]


async def test_a_bind_without_its_user_is_a_fault_of_ours(endings: Endings, confirm: Confirm) -> None:
    lost = replace(claim(user_id="42"), user_id=None)
    with pytest.raises(ValueError, match="without a user id"):
        await confirm(lost)
    assert await endings.of(lost.head.ticket) is None


# --- at once


async def test_two_answers_at_once_end_a_ticket_once(bindings: Bindings, confirm: Confirm) -> None:
    identities = [OpenId(f"o{number}") for number in range(6)]
    ends = await asyncio.gather(*(confirm(claim(user_id="42"), openid) for openid in identities))
    assert len(set(ends)) == 1
    [made] = await bindings.of_user("shop", USER)
    assert made.openid == ends[0].openid
    assert len(await bindings.history("shop", USER)) == 1


async def test_the_same_answer_at_once_ends_a_ticket_once(bindings: Bindings, confirm: Confirm) -> None:
    ends = await asyncio.gather(*(confirm(claim(user_id="42")) for _ in range(6)))
    assert len(set(ends)) == 1
    assert ends[0].outcome is Outcome.BOUND
    assert len(await bindings.history("shop", USER)) == 1


async def test_an_answer_and_a_cancellation_at_once_agree(
    endings: Endings, decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    for number in range(6):
        ticket, user = f"t{number}", f"u{number}"
        answered, closed = await asyncio.gather(
            confirm(claim(ticket, user), OpenId(f"o{number}")), decisions.close(cancelled(ticket))
        )
        assert answered == closed == await endings.of(TicketId(ticket))
        made = await bindings.of_user("shop", UserId(user))
        assert bool(made) is (closed.status is Status.CONFIRMED)


async def test_two_users_with_one_wechat_at_once_one_is_rejected(bindings: Bindings, confirm: Confirm) -> None:
    ends = await asyncio.gather(*(confirm(claim(f"t{user}", str(user))) for user in range(6)))
    assert [it.outcome for it in ends].count(Outcome.BOUND) == 1
    assert [it.reason for it in ends].count(Reason.WECHAT_TAKEN) == 5
    made = [it for user in range(6) for it in await bindings.of_user("shop", UserId(str(user)))]
    assert len(made) == 1


# --- redeeming


async def test_a_code_of_a_login_gives_the_binding_once(decisions: TicketDecisions, confirm: Confirm) -> None:
    await bound(confirm)
    ending = await confirm(claim())
    got = await decisions.redeem(ending.ticket, answered_after=BEFORE, now=NOW)
    assert got is not None
    assert got[0] == replace(ending, code_used_at=KEPT)
    assert got[1] is not None
    assert (got[1].user_id, got[1].last_login_at) == ("42", KEPT)
    assert await decisions.redeem(ending.ticket, answered_after=BEFORE, now=NOW) is None


async def test_a_code_of_a_registration_gives_the_ending(decisions: TicketDecisions, confirm: Confirm) -> None:
    ending = await confirm(claim())
    assert await decisions.redeem(ending.ticket, answered_after=BEFORE, now=NOW) == (
        replace(ending, code_used_at=KEPT),
        None,
    )


async def test_fifty_at_once_redeem_a_code_once(decisions: TicketDecisions, confirm: Confirm) -> None:
    await bound(confirm)
    ticket = (await confirm(claim())).ticket
    got = await asyncio.gather(*(decisions.redeem(ticket, answered_after=BEFORE, now=NOW) for _ in range(50)))
    assert sum(it is not None for it in got) == 1


async def test_a_code_is_late_when_it_was_answered_too_long_ago(
    decisions: TicketDecisions, confirm: Confirm
) -> None:
    ticket = (await confirm(claim())).ticket
    assert await decisions.redeem(ticket, answered_after=KEPT, now=NOW) is None
    just = KEPT - timedelta(milliseconds=1)
    assert await decisions.redeem(ticket, answered_after=just, now=NOW) is not None


async def test_only_logins_have_codes(decisions: TicketDecisions, confirm: Confirm) -> None:
    await decisions.close(cancelled("t1"))
    await decisions.close(cancelled("t2", status=Status.REJECTED, reason=Reason.DECLINED, openid=ANNA))
    await confirm(claim("t3", "42"))
    await confirm(claim("t4", "42"))
    await confirm(claim("t5", "43"))
    for ticket in ("t1", "t2", "t3", "t4", "t5", "unknown"):
        assert await decisions.redeem(TicketId(ticket), answered_after=BEFORE, now=NOW) is None


async def test_a_login_whose_binding_ended_since_lets_nobody_in(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    await bound(confirm)
    ticket = (await confirm(claim())).ticket
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert await decisions.redeem(ticket, answered_after=BEFORE, now=NOW) is None
    await confirm(claim("again", "42"))
    assert await decisions.redeem(ticket, answered_after=BEFORE, now=NOW) is None  # used up all the same


async def test_a_login_whose_wechat_went_to_another_lets_nobody_in(
    decisions: TicketDecisions, confirm: Confirm
) -> None:
    await bound(confirm)
    ticket = (await confirm(claim())).ticket
    await confirm(claim("t2", "43"), ANNA, Policy(takeover_moves=True))
    assert await decisions.redeem(ticket, answered_after=BEFORE, now=NOW) is None


# --- registering


async def test_a_registration_binds_the_new_user(
    endings: Endings, decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    result = await register(decisions, ticket)
    assert isinstance(result, Bound)
    assert await bindings.of_user("shop", USER) == [result.binding]
    assert [(it.change, it.source) for it in await bindings.history("shop", USER)] == [
        (Change.BOUND, ChangeSource.REGISTRATION)
    ]
    ending = await endings.of(ticket)
    assert ending is not None
    assert ending.registered_to == "42"


async def test_a_registration_again_says_it_is_done_while_the_binding_stands(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    first = await register(decisions, ticket)
    assert await register(decisions, ticket) == AlreadyBound(first.binding)
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert await register(decisions, ticket) is None
    assert await bindings.of_user("shop", USER) == []


async def test_a_registration_serves_one_user(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    await register(decisions, ticket)
    assert await register(decisions, ticket, user_id=UserId("43")) is None
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert await register(decisions, ticket, user_id=UserId("43")) is None


async def test_a_registration_whose_wechat_went_to_another_serves_nobody(
    decisions: TicketDecisions, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    await register(decisions, ticket)
    await confirm(claim("t2", "43"), ANNA, Policy(takeover_moves=True))
    for user in (USER, UserId("43")):
        assert await register(decisions, ticket, user_id=user) is None


async def test_a_registration_of_two_users_at_once_serves_one(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    users = [UserId(str(number)) for number in range(6)]
    results = await asyncio.gather(*(register(decisions, ticket, user_id=user) for user in users))
    assert sum(isinstance(it, Bound) for it in results) == 1
    assert results.count(None) == 5
    assert len([it for user in users for it in await bindings.of_user("shop", user)]) == 1


async def test_a_conflict_uses_no_registration_up(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    await bound(confirm, "42", BEN)
    assert await register(decisions, ticket) == Conflict(ConflictReason.USER)
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert isinstance(await register(decisions, ticket), Bound)


async def test_a_registration_may_replace_the_users_own_wechat_where_that_is_allowed(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    await bound(confirm, "42", BEN)
    assert isinstance(await register(decisions, ticket, policy=Policy(rebind_replaces=True)), Bound)
    assert [it.openid for it in await bindings.of_user("shop", USER)] == [ANNA]


async def test_a_registration_never_takes_a_wechat_from_another(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    ticket = await redeemed(decisions, confirm)
    await bound(confirm, "43", ANNA)
    all_allowed = Policy(rebind_replaces=True, takeover_moves=True)
    assert await register(decisions, ticket, policy=all_allowed) == Conflict(ConflictReason.WECHAT)
    assert [it.openid for it in await bindings.of_user("shop", UserId("43"))] == [ANNA]


async def test_what_is_no_redeemed_registration_registers_nobody(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    unused = (await confirm(claim("t1"))).ticket
    foreign = (await confirm(claim("t2"))).ticket
    await decisions.redeem(foreign, answered_after=BEFORE, now=NOW)
    await bound(confirm, "7", BEN)
    login = (await confirm(claim("t3"), BEN)).ticket
    await decisions.redeem(login, answered_after=BEFORE, now=NOW)
    closed = (await decisions.close(cancelled("t4"))).ticket
    assert await register(decisions, foreign, client="forum") is None
    for ticket in (unused, login, closed, TicketId("unknown")):
        assert await register(decisions, ticket) is None
    assert await bindings.of_user("shop", USER) == []


# --- leaving


async def test_whoever_leaves_while_they_are_bound_is_not_left_bound(
    decisions: TicketDecisions, followers: Followers, bindings: Bindings, erasure: FollowerErasure
) -> None:
    for number in range(6):
        openid, user = OpenId(f"o{number}"), UserId(str(number))
        await followers.seen("main", openid, at=NOW)
        ending, _ = await asyncio.gather(
            decisions.confirm(claim(f"t{number}", user), openid, policy=Policy(), state=None, now=NOW),
            erasure.unfollowed("main", openid, at=NOW, erase=True, now=NOW),
        )
        assert ending is None or ending.outcome is Outcome.BOUND
        assert await bindings.of_user("shop", user) == []


async def test_whoever_leaves_while_their_code_is_used_makes_nobody_wait_for_each_other(
    database: Database,
    decisions: TicketDecisions,
    followers: Followers,
    confirm: Confirm,
    erasure: FollowerErasure,
) -> None:
    """Red when `register` holds the ending before the person, or `_forget` erases bindings before endings."""
    faults: list[BaseException] = []
    sa.event.listen(database._engine.sync_engine, "handle_error", lambda it: faults.append(it.original_exception))
    for number in range(8):
        known, new = OpenId(f"oKnown{number}"), OpenId(f"oNew{number}")
        await bound(confirm, str(number), known)
        login, registration = TicketId(f"login{number}"), TicketId(f"new{number}")
        await confirm(claim(login), known)
        await confirm(claim(registration), new)
        await decisions.redeem(registration, answered_after=BEFORE, now=NOW)
        await asyncio.gather(
            decisions.redeem(login, answered_after=BEFORE, now=NOW),
            *(register(decisions, registration, user_id=UserId(registration)) for _ in range(3)),
            *(erasure.unfollowed("main", they, at=NOW, erase=True, now=NOW) for they in (known, new)),
        )
    assert not faults, "a deadlock, from which a database takes a second to escape"


async def test_whoever_has_left_confirms_and_registers_nothing(
    endings: Endings, decisions: TicketDecisions, followers: Followers, confirm: Confirm, erasure: FollowerErasure
) -> None:
    ticket = await redeemed(decisions, confirm)
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    assert await decisions.confirm(claim("t2", "42"), ANNA, policy=Policy(), state=None, now=NOW) is None
    assert await endings.of(TicketId("t2")) is None
    assert await decisions.register(ticket, client="shop", user_id=USER, policy=Policy(), now=NOW) is None
