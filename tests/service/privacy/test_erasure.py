"""Erased people and users are in no table of any database; all others stay."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import bind_in

from models.audit import AuditEntry, AuditEvent
from models.binding import ChangeSource, Policy, UserId
from models.events import OpenId, shortened
from models.method import Method
from models.tables.bindings import bindings as bindings_table
from models.tables.identities import followers as followers_table
from models.tables.portal import portal_sessions
from models.ticket import Ending, Outcome, Status, TicketId
from service.audit.log import write_entries
from service.bindings.repository import Bindings
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import Erased, forget_person, forget_user
from service.storage.database import Database
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
ANNA, BEN = OpenId("oAnna-of-the-account"), OpenId("oBert-of-another-end")
USER, OTHER = UserId("canary-user"), UserId("other-user")
Dump = Callable[[], Awaitable[str]]
Forget = Callable[..., Awaitable[Erased]]


@pytest.fixture
def forget(database: Database, identities: Identities) -> Forget:
    """Forget a person, or a user of the shop."""

    async def run(openid: OpenId | None = None, *, user: UserId | None = None) -> Erased:
        work = (
            partial(forget_user, identities=identities, client="shop", user_id=user, now=NOW)
            if user
            else partial(
                forget_person,
                identities=identities,
                account="main",
                openid=openid,
                source=ChangeSource.PRIVACY,
                now=NOW,
            )
        )
        return await database.attempt(work)

    return run


@pytest.fixture
async def settled(
    database: Database,
    identities: Identities,
    followers: Followers,
    decisions: TicketDecisions,
    requests: BindRequests,
) -> None:
    """Anna is the user; Ben is another user; everything there is about both is in the tables."""
    for openid, user in ((ANNA, USER), (BEN, OTHER)):
        await followers.seen(Sender("main", openid, NOW))
        await followers.learned("main", openid, unionid=f"u{openid}", lang=None, asked_at=NOW)
        await bound(database, identities, openid, user)
        await decisions.close(ending(f"t-{user}", openid, user))
        await requests.save(request(f"r-{user}", user))
        visit = {"id": f"p-{user}", "client": "shop", "user_id": user, "only_login": False, "ends_at": LATER}
        line = AuditEntry(NOW, AuditEvent.SCANNED, "shop", "main", openid=shortened(openid), user_id=user)
        async with database.writing() as connection:
            await connection.execute(sa.insert(portal_sessions).values(visit | {"account_name": f"name-{user}"}))
            await connection.run_sync(write_entries, line)


async def bound(
    database: Database, identities: Identities, openid: OpenId, user: UserId, *, client: str = "shop"
) -> None:
    await database.attempt(lambda it: bind_in(it, identities, openid, user, client=client, now=NOW))


def ending(ticket: str, openid: OpenId, user: UserId, outcome: Outcome = Outcome.LOGIN) -> Ending:
    how: dict[str, Any] = {"answered_at": NOW, "expires_at": LATER, "account": "main", "state": f"state-{user}"}
    return Ending(TicketId(ticket), "shop", Status.CONFIRMED, outcome=outcome, openid=openid, user_id=user, **how)


def request(ticket: str, user: UserId) -> BindRequest:
    return BindRequest(TicketId(ticket), "shop", "main", user, "", f"name-{user}", "http://q", NOW, LATER)


def names(kept: str, openid: OpenId, *others: str) -> list[str]:
    return [name for name in (openid, f"u{openid}", shortened(openid), *others) if name in kept]


@pytest.mark.usefixtures("settled")
async def test_a_forgotten_person_is_in_no_table_and_others_are(
    forget: Forget, dump: Dump, bindings: Bindings
) -> None:
    """Red when `_forget_number` leaves out a table, or `_forget_record` is not called."""
    erased = await forget(ANNA)
    kept = await dump()
    assert names(kept, ANNA) == []
    assert +erased.deleted == {"followers": 1, "bindings": 1}
    assert +erased.unnamed == {"endings": 1, "history": 2, "audit": 2}
    assert erased.tickets == {"t-canary-user"}
    assert [it.openid for it in await bindings.of_user("shop", OTHER)] == [BEN]
    assert shortened(BEN) in kept
    assert [it.openid for it in await bindings.history("shop", USER)] == [None, None]


@pytest.mark.usefixtures("settled")
async def test_a_forgotten_user_is_in_no_table_and_others_are(
    forget: Forget, dump: Dump, bindings: Bindings, endings: Endings
) -> None:
    """Red when `_forget_rows` leaves out a table or a column."""
    erased = await forget(user=USER)
    kept = await dump()
    assert names(kept, ANNA, f"'{USER}'", f"name-{USER}", f"state-{USER}") == []
    assert +erased.deleted == {
        "followers": 1,
        "bindings": 1,
        "bind_requests": 1,
        "portal_sessions": 1,
        "history": 2,
    }
    assert erased.tickets == {"t-canary-user", "r-canary-user"}
    assert erased.identities == {("main", ANNA)}
    assert [it.openid for it in await bindings.of_user("shop", OTHER)] == [BEN]
    assert names(kept, BEN, f"name-{OTHER}", f"state-{OTHER}")[-2:] == [f"name-{OTHER}", f"state-{OTHER}"]
    cancelled = await endings.of(TicketId("r-canary-user"))
    assert cancelled
    assert cancelled.status is Status.CANCELLED


@pytest.mark.usefixtures("settled")
async def test_a_code_that_has_ended_is_not_said_to_be_cancelled(
    forget: Forget, decisions: TicketDecisions
) -> None:
    """Red when `_cancel_requests` returns endings that could not be inserted."""
    await decisions.close(ending(f"r-{USER}", ANNA, USER))
    assert (await forget(user=USER)).cancelled == {}


@pytest.mark.usefixtures("settled")
async def test_who_is_bound_to_another_user_too_stays(
    forget: Forget, database: Database, identities: Identities, followers: Followers, bindings: Bindings
) -> None:
    """Red when `forget_user` erases every bound person."""
    await bound(database, identities, ANNA, OTHER, client="club")
    erased = await forget(user=USER)
    assert erased.identities == set()
    assert erased.unnamed["followers"] == 1
    assert await followers.get("main", ANNA)
    assert [it.openid for it in await bindings.of_user("club", OTHER)] == [ANNA]


@pytest.mark.usefixtures("settled")
async def test_forgetting_again_finds_nothing(forget: Forget) -> None:
    await forget(ANNA)
    assert not +(await forget(ANNA)).deleted
    await forget(user=USER)
    again = await forget(user=USER)
    assert not +again.deleted
    assert not +again.unnamed


@pytest.mark.usefixtures("settled")
async def test_a_registration_of_an_erased_user_makes_no_binding(
    forget: Forget, database: Database, decisions: TicketDecisions, bindings: Bindings, identities: Identities
) -> None:
    """Red when the ending of a registration keeps its person."""
    await bound(database, identities, ANNA, OTHER, client="club")  # so that she stays known
    ticket, new = TicketId("reg"), UserId("new-user")
    await decisions.close(ending(ticket, ANNA, new, Outcome.REGISTER))
    await decisions.redeem(ticket, answered_after=NOW - timedelta(60), now=NOW)
    how: dict[str, Any] = {"client": "shop", "method": Method.SCAN, "policy": Policy(), "now": NOW}
    await forget(user=USER)
    assert await decisions.register(ticket, user_id=new, **how)
    await forget(user=new)
    assert await decisions.register(ticket, user_id=new, **how) is None
    assert await bindings.of_user("shop", new) == []


async def test_binding_and_erasing_at_once_leave_all_or_nothing(
    forget: Forget, database: Database, identities: Identities, followers: Followers
) -> None:
    """Red when `forget_person` ends the bindings before it takes the person's row."""
    for number in range(6):
        openid = OpenId(f"oAnna-{number}")
        await followers.seen(Sender("main", openid, NOW))
        await asyncio.gather(
            *(bound(database, identities, openid, UserId(f"{number}-{one}")) for one in range(3)), forget(openid)
        )
    numbers = sa.select(followers_table.c.id)
    lost = sa.select(sa.func.count()).where(bindings_table.c.follower_id.not_in(numbers))
    async with database.reading() as connection:
        assert await connection.scalar(lost) == 0
