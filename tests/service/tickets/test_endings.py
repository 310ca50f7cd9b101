"""Endings in SQL: reading, pages and purge."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models.binding import UserId
from models.events import OpenId
from models.tables.identities import followers as table
from models.ticket import Ending, Reason, Status, TicketId
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)
EXPIRES = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
ANNA, BEN = OpenId("oAnna"), OpenId("oBen")
USER = UserId("42")


def cancelled(ticket: str = "t1", **changes: Any) -> Ending:
    given = {"client": "shop", "status": Status.CANCELLED, "answered_at": NOW, "expires_at": EXPIRES}
    return Ending(ticket=TicketId(ticket), **(given | changes))


async def test_a_ticket_that_has_not_ended_has_no_ending(endings: Endings) -> None:
    assert await endings.of(TicketId("t1")) is None


async def test_endings_that_can_still_be_read_come_in_pages(endings: Endings, decisions: TicketDecisions) -> None:
    tickets = ["B", "_", "a", "-", "A", "b", "1"]
    for ticket in tickets:
        await decisions.close(cancelled(ticket))
    await decisions.close(cancelled("gone", expires_at=EXPIRES - timedelta(seconds=1)))
    found: list[str] = []
    last = EXPIRES + timedelta(seconds=119)
    for _ in range(len(tickets)):
        page = await endings.unexpired(last, after=found[-1] if found else "", limit=3)
        found += [it.ticket for it in page]
    assert found == sorted(tickets)
    assert await endings.unexpired(EXPIRES + timedelta(seconds=120)) == []


async def test_a_sealed_row_that_was_changed_keeps_no_other_ending_from_being_shown(
    endings: Endings, decisions: TicketDecisions, followers: Followers, database: Database, identities: Identities
) -> None:
    """Red when `unexpired` reads a row as everything else does."""
    for ticket, openid in (("t1", ANNA), ("t2", BEN)):
        await followers.seen(Sender("main", openid, NOW))
        given = {"status": Status.REJECTED, "reason": Reason.DECLINED, "account": "main", "openid": openid}
        await decisions.close(cancelled(ticket, **given))
    async with database.writing() as connection:
        theirs = identities.with_openid(ANNA)
        await connection.execute(sa.update(table).where(theirs).values(openid_sealed="AQ"))
    told = {it.ticket: it.openid for it in await endings.unexpired(NOW)}
    clear = "oAnna" in identities.names("main", ANNA, None).values()
    assert told == {"t1": ANNA if clear else None, "t2": BEN}


async def test_a_purge_takes_what_expired_before_and_nothing_else(
    endings: Endings, decisions: TicketDecisions, requests: BindRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.storage.purge._BATCH", 2)
    for number in range(5):
        ticket = TicketId(f"old{number}")
        await decisions.close(cancelled(ticket, expires_at=EXPIRES - timedelta(milliseconds=1)))
        await requests.save(_request(ticket, EXPIRES - timedelta(milliseconds=1)))
    await decisions.close(cancelled("new"))
    await requests.save(_request(TicketId("new"), EXPIRES))
    assert await endings.purge(EXPIRES) == 10
    assert await endings.purge(EXPIRES) == 0
    assert [it.ticket for it in await endings.unexpired(NOW)] == ["new"]
    assert await requests.of(TicketId("new")) is not None
    assert await requests.of(TicketId("old0")) is None


def _request(ticket: TicketId, expires_at: datetime) -> BindRequest:
    return BindRequest(ticket, "shop", "main", USER, "", None, "http://weixin.qq.com/q/x", NOW, expires_at)
