"""A login code is redeemed once, and a registration binds one user."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from decided import (
    ANNA,
    BEFORE,
    BEN,
    KEPT,
    NOW,
    USER,
    Confirm,
    bound,
    cancelled,
    claim,
    redeemed,
    register,
)

from models.binding import AlreadyBound, Bound, Change, ChangeSource, Conflict, ConflictReason, Policy, UserId
from models.ticket import Reason, Status, TicketId
from service.bindings.repository import Bindings
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

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


async def test_a_login_whose_binding_ended_since_is_not_redeemed(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    await bound(confirm)
    ticket = (await confirm(claim())).ticket
    await bindings.disconnect("shop", USER, account=None, now=NOW)
    assert await decisions.redeem(ticket, answered_after=BEFORE, now=NOW) is None
    await confirm(claim("again", "42"))
    assert await decisions.redeem(ticket, answered_after=BEFORE, now=NOW) is None  # used up all the same


async def test_a_login_whose_wechat_was_bound_to_another_user_since_is_not_redeemed(
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


async def test_a_registration_whose_wechat_was_bound_to_another_user_since_is_refused(
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


async def test_only_a_redeemed_registration_registers(
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
