"""Followers in SQL: what is stored of a person, and that it is deleted when they unsubscribe.

Covers: service.identities.build, service.identities.repository.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import bind_in
from writing import writing_engine

from models.binding import Change, ChangeSource, Policy, UserId
from models.events import OpenId
from models.language import Lang
from models.method import Method
from models.tables.columns import to_millisecond
from models.ticket import Ending, Outcome, Status, TicketId
from service.bindings.repository import Bindings
from service.identities.followers import Follower, Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
ANNA = OpenId("oAnna")


Bind = Callable[[str, str, str, OpenId], Awaitable[None]]


@pytest.fixture
def binding(database: Database, identities: Identities) -> Bind:
    """Bind a user of a client to a follower of an account."""

    async def run(client: str, account: str, user_id: str, openid: OpenId) -> None:
        how = {"account": account, "client": client, "now": NOW}
        assert await database.attempt(lambda it: bind_in(it, identities, openid, user_id, **how))

    return run


async def test_a_stranger_is_not_known(followers: Followers) -> None:
    assert await followers.get("main", ANNA) is None


async def test_who_scans_is_a_follower(followers: Followers) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    assert await followers.get("main", ANNA) == Follower("main", ANNA, subscribed=True)
    assert await followers.get("second", ANNA) is None


async def test_who_is_known_already_costs_no_write(followers: Followers, database: Database) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    begun: list[Any] = []
    sa.event.listen(writing_engine(database), "begin", begun.append)
    await followers.seen(Sender("main", ANNA, LATER))
    assert begun == []
    await followers.seen(Sender("main", OpenId("oBen"), LATER))
    assert begun != []


async def test_many_scans_of_a_new_person_at_once_are_one_follower(followers: Followers) -> None:
    await asyncio.gather(*(followers.seen(Sender("main", ANNA, NOW)) for _ in range(8)))
    assert await followers.get("main", ANNA) == Follower("main", ANNA, subscribed=True)


async def test_what_wechat_tells_is_kept_and_what_it_does_not_tell_takes_nothing_away(
    followers: Followers,
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await followers.learned("main", ANNA, unionid="uAnna", lang=Lang.EN, asked_at=NOW)
    assert await followers.get("main", ANNA) == Follower(
        "main", ANNA, subscribed=True, unionid="uAnna", lang=Lang.EN, asked_at=NOW
    )
    await followers.learned("main", ANNA, unionid=None, lang=None, asked_at=LATER)
    assert await followers.get("main", ANNA) == Follower(
        "main", ANNA, subscribed=True, unionid="uAnna", lang=Lang.EN, asked_at=LATER
    )


async def test_user_info_never_makes_a_follower_of_one_who_unsubscribed(
    followers: Followers, erasure: FollowerErasure
) -> None:
    """Red when `learned` stores a subscription."""
    await followers.seen(Sender("main", ANNA, NOW))
    await erasure.unfollowed("main", ANNA, at=LATER, erase=False, now=LATER)
    await followers.learned("main", ANNA, unionid="uAnna", lang=None, asked_at=LATER)
    assert await followers.get("main", ANNA) == Follower(
        "main", ANNA, subscribed=False, unionid="uAnna", asked_at=LATER
    )


async def test_a_missed_unsubscribe_is_older_than_a_later_subscribe(followers: Followers) -> None:
    """Red when `gone` does not compare `followed_at`."""
    await followers.seen(Sender("main", ANNA, LATER, followed=True))
    await followers.gone("main", ANNA, since=NOW)
    assert await followers.get("main", ANNA) == Follower("main", ANNA, subscribed=True)
    await followers.gone("main", ANNA, since=LATER)
    assert await followers.get("main", ANNA) == Follower("main", ANNA, subscribed=False)


async def test_a_late_answer_of_wechat_restores_no_erased_follower(
    followers: Followers, erasure: FollowerErasure
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    await followers.learned("main", ANNA, unionid="uAnna", lang=Lang.ZH, asked_at=LATER)
    assert await followers.get("main", ANNA) is None


async def test_who_left_and_is_kept_is_asked_about_again_when_they_return(
    followers: Followers, erasure: FollowerErasure
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await followers.learned("main", ANNA, unionid="uAnna", lang=None, asked_at=NOW)
    await erasure.unfollowed("main", ANNA, at=NOW, erase=False, now=NOW)
    left = await followers.get("main", ANNA)
    assert left == Follower("main", ANNA, subscribed=False, unionid="uAnna", asked_at=NOW)
    await followers.seen(Sender("main", ANNA, LATER))
    assert await followers.get("main", ANNA) == Follower("main", ANNA, subscribed=True, unionid="uAnna")


async def test_keeping_leaves_the_bindings(
    followers: Followers, bindings: Bindings, binding: Bind, erasure: FollowerErasure
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await binding("shop", "main", "42", ANNA)
    await erasure.unfollowed("main", ANNA, at=LATER, erase=False, now=LATER)
    [standing] = await bindings.of_user("shop", UserId("42"))
    assert standing.subscribed is False


async def test_an_erased_person_is_nowhere(  # noqa: PLR0917 - each is a store of what must be gone
    followers: Followers,
    bindings: Bindings,
    decisions: TicketDecisions,
    binding: Bind,
    dump: Callable[[], Awaitable[str]],
    erasure: FollowerErasure,
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await followers.learned("main", ANNA, unionid="uAnna", lang=Lang.EN, asked_at=NOW)
    await binding("shop", "main", "42", ANNA)
    await binding("forum", "main", "7", ANNA)
    await decisions.close(_ending("t1", "main", ANNA))
    await erasure.unfollowed("main", ANNA, at=LATER, erase=True, now=LATER)
    kept = await dump()
    assert ANNA not in kept
    assert "uAnna" not in kept
    assert await bindings.of_user("shop", UserId("42")) == await bindings.of_user("forum", UserId("7")) == []
    history = [(it.change, it.source, it.openid, it.at) for it in await bindings.history("shop", UserId("42"))]
    assert history == [
        (Change.ERASED, ChangeSource.UNFOLLOW, None, to_millisecond(LATER)),
        (Change.BOUND, ChangeSource.TICKET, None, NOW),
    ]


async def test_erasing_one_person_leaves_the_others(  # noqa: PLR0917 - each is a store of what must stay
    followers: Followers,
    bindings: Bindings,
    endings: Endings,
    decisions: TicketDecisions,
    binding: Bind,
    erasure: FollowerErasure,
) -> None:
    others = [("main", OpenId("oBen"), "1"), ("second", ANNA, "2")]
    for account, openid, user in others:
        await followers.seen(Sender(account, openid, NOW))
        await binding("shop", account, user, openid)
        await decisions.close(_ending(user, account, openid))
    await erasure.unfollowed("main", ANNA, at=LATER, erase=True, now=LATER)
    for account, openid, user in others:
        assert await followers.get(account, openid)
        assert [it.openid for it in await bindings.of_user("shop", UserId(user))] == [openid]
        assert [it.openid for it in await bindings.history("shop", UserId(user))] == [openid]
        ending = await endings.of(TicketId(user))
        assert ending is not None
        assert ending.openid == openid


@pytest.mark.parametrize("outcome", [Outcome.LOGIN, Outcome.REGISTER])
async def test_the_code_of_an_erased_person_is_worth_nothing(
    followers: Followers, decisions: TicketDecisions, outcome: Outcome, erasure: FollowerErasure
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await decisions.close(_ending("t1", "main", ANNA, outcome))
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    assert await decisions.redeem(TicketId("t1"), answered_after=NOW - timedelta(60), now=NOW) is None


async def test_the_registration_of_an_erased_person_is_worth_nothing(
    followers: Followers, decisions: TicketDecisions, bindings: Bindings, erasure: FollowerErasure
) -> None:
    await followers.seen(Sender("main", ANNA, NOW))
    await decisions.close(_ending("t1", "main", ANNA, Outcome.REGISTER))
    assert await decisions.redeem(TicketId("t1"), answered_after=NOW - timedelta(60), now=NOW)
    await erasure.unfollowed("main", ANNA, at=NOW, erase=True, now=NOW)
    user = UserId("42")
    assert (
        await decisions.register(
            TicketId("t1"), client="shop", user_id=user, method=Method.SCAN, policy=Policy(), now=NOW
        )
        is None
    )
    assert await bindings.of_user("shop", user) == []


def _ending(ticket: str, account: str, openid: OpenId, outcome: Outcome = Outcome.LOGIN) -> Ending:
    return Ending(
        ticket=TicketId(ticket),
        client="shop",
        status=Status.CONFIRMED,
        outcome=outcome,
        answered_at=NOW,
        expires_at=LATER,
        account=account,
        openid=openid,
        user_id="42" if outcome is Outcome.LOGIN else None,
    )
