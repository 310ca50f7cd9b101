"""A ticket ends once, in one transaction with its effects."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from decided import (
    ANNA,
    BEFORE,
    BEN,
    EXPIRES,
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
from writing import writing_engine

from models.binding import Policy, UserId
from models.events import OpenId
from models.method import Method
from models.ticket import Ending, Outcome, Reason, Status, TicketId, Via
from service.bindings.repository import Bindings
from service.identities.followers import Followers, Sender
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

# --- closing


async def test_a_refusal_stands_as_it_was_given(
    endings: Endings, decisions: TicketDecisions, followers: Followers
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    refused = cancelled(
        status=Status.REJECTED, reason=Reason.WRONG_NUMBER, openid=ANNA, account="main", via=Via.PAGE, state="s"
    )
    stands = await decisions.close(refused)
    assert stands == replace(refused, answered_at=KEPT)
    assert await endings.of(refused.ticket) == stands


async def test_a_refusal_by_an_erased_follower_stores_no_openid(
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


async def test_a_login_of_an_unbound_person_ends_in_a_registration(endings: Endings, confirm: Confirm) -> None:
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


async def test_a_login_of_a_bound_person_names_their_user(confirm: Confirm) -> None:
    await bound(confirm)
    ending = await confirm(claim())
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")


async def test_another_clients_binding_is_no_login(confirm: Confirm) -> None:
    await bound(confirm)
    assert (await confirm(claim(client="forum"))).outcome is Outcome.REGISTER


async def test_a_login_through_another_account_finds_the_same_person(
    confirm: Confirm, followers: Followers, bindings: Bindings
) -> None:
    await bound(confirm)
    for account, openid in (("main", ANNA), ("second", BEN)):
        await followers.seen(Sender(account, openid, NOW))
        await followers.learned(account, openid, unionid="uAnna", lang=None, asked_at=NOW)
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


async def test_a_scan_stores_its_sender_and_confirms_in_one_transaction(
    database: Database, decisions: TicketDecisions, followers: Followers
) -> None:
    """Red when `confirm_arrival` stores the sender by `Followers.seen`."""
    commits: list[sa.Connection] = []
    sa.event.listen(writing_engine(database), "commit", commits.append)
    how: dict[str, Any] = {"policy": Policy(), "state": None, "now": NOW}
    ending, follower = await decisions.confirm_arrival(claim(user_id="42"), Sender("main", ANNA, NOW), **how)
    assert len(commits) == 1
    assert (ending.outcome, ending.openid) == (Outcome.BOUND, ANNA)
    assert await followers.get("main", ANNA) == follower


async def test_an_earlier_ending_stands_and_the_sender_of_the_scan_is_stored(
    decisions: TicketDecisions, followers: Followers, bindings: Bindings
) -> None:
    """Red when `confirm_arrival` does not store the follower again, whose row was rolled back."""
    first = await decisions.close(cancelled())
    how: dict[str, Any] = {"policy": Policy(), "state": None, "now": NOW}
    ending, follower = await decisions.confirm_arrival(claim(user_id="42"), Sender("main", ANNA, NOW), **how)
    assert ending == first
    assert follower.subscribed
    assert await followers.get("main", ANNA) == follower
    assert await bindings.of_user("shop", USER) == []


async def test_an_answer_again_gives_the_same_ending_and_binds_nothing_twice(
    bindings: Bindings, confirm: Confirm
) -> None:
    first = await confirm(claim(user_id="42"))
    assert await confirm(claim(user_id="42"), now=NOW + timedelta(seconds=5)) == first
    assert len(await bindings.history("shop", USER)) == 1


async def test_an_answer_to_a_cancelled_ticket_makes_no_binding(
    decisions: TicketDecisions, bindings: Bindings, confirm: Confirm
) -> None:
    stands = await decisions.close(cancelled())
    assert await confirm(claim(user_id="42")) == stands
    assert await bindings.of_user("shop", USER) == []
    assert await bindings.history("shop", USER) == []


async def test_an_answer_to_a_cancelled_ticket_replaces_no_binding(
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


# --- leaving


async def test_unsubscribing_while_a_bind_is_confirmed_leaves_no_binding(
    decisions: TicketDecisions, followers: Followers, bindings: Bindings, erasure: FollowerErasure
) -> None:
    for number in range(6):
        openid, user = OpenId(f"o{number}"), UserId(str(number))
        await followers.seen(Sender("main", openid, NOW))
        ending, _ = await asyncio.gather(
            decisions.confirm(claim(f"t{number}", user), openid, policy=Policy(), state=None, now=NOW),
            erasure.unfollowed("main", openid, at=NOW, erase=True, now=NOW),
        )
        assert ending is None or ending.outcome is Outcome.BOUND
        assert await bindings.of_user("shop", user) == []


async def test_unsubscribing_while_a_code_is_redeemed_does_not_deadlock(
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


async def test_a_follower_who_unsubscribed_confirms_and_registers_nothing(
    endings: Endings, decisions: TicketDecisions, followers: Followers, confirm: Confirm, erasure: FollowerErasure
) -> None:
    ticket = await redeemed(decisions, confirm)
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    assert await decisions.confirm(claim("t2", "42"), ANNA, policy=Policy(), state=None, now=NOW) is None
    assert await endings.of(TicketId("t2")) is None
    assert (
        await decisions.register(ticket, client="shop", user_id=USER, method=Method.SCAN, policy=Policy(), now=NOW)
        is None
    )
