"""Audit entries are written with the decision they describe or soon after it, and none is lost."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import bind_in
from writing import writing_engine

from models.audit import AuditEntry, AuditEvent
from models.errors import StoreUnavailable
from models.events import OpenId
from models.tables.columns import to_millisecond
from models.ticket import TicketId
from service.audit import log as auditing
from service.audit.log import AuditLog, write_entries
from service.audit.reader import AuditFilter, lines, read
from service.config.settings import validate
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database

NOW = to_millisecond(datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC))
OPENID = OpenId("o9AgO5Kd5ggOC-bXrbNODIiE3bGY")
_LOCKED = {"postgresql": "LOCK TABLE audit", "mariadb": "LOCK TABLES audit WRITE"}
Recorded = Callable[..., Awaitable[list[tuple[str, str | None]]]]


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database, clock=lambda: NOW)


@pytest.fixture
def recorded(database: Database, identities: Identities) -> Recorded:
    """Read the record: what happened, and the detail of it."""

    async def told(limit: int = 100, **wanted: Any) -> list[tuple[str, str | None]]:
        return [
            (line.event, line.detail)
            for line in await read(database, identities, AuditFilter(**wanted), limit=limit)
        ]

    return told


async def test_a_line_comes_back_as_it_was_noted(
    database: Database, identities: Identities, audit: AuditLog
) -> None:
    audit.note(
        AuditEvent.SCANNED,
        client="shop",
        account="main",
        ticket=TicketId("t1"),
        openid=OPENID,
        user_id="ünï 😀",
        detail="pending",
    )
    await audit.flush()
    told = AuditEntry(NOW, "scanned", "shop", "main", "t1", "…DIiE3bGY", "ünï 😀", "pending")
    assert await read(database, identities, AuditFilter(), limit=5) == [told]


@pytest.mark.parametrize(
    "wanted",
    [
        {"event": "scanned"},
        {"client": "shop"},
        {"ticket": "t1"},
        {"openid": OPENID},
        {"user_id": "42"},
        {"since": NOW},
        {"client": "shop", "openid": OPENID, "ticket": "t1"},
    ],
)
async def test_lines_are_found_by_what_they_say(
    database: Database, audit: AuditLog, recorded: Recorded, wanted: Any
) -> None:
    audit.note(AuditEvent.SCANNED, client="shop", ticket=TicketId("t1"), openid=OPENID, user_id="42")
    await audit.flush()
    async with database.writing() as connection:
        await connection.run_sync(
            write_entries,
            AuditEntry(NOW - timedelta(hours=1), AuditEvent.CANCELLED, "SHOP", ticket="T1", user_id="4"),
        )
    assert await recorded(**wanted) == [("scanned", None)]


async def test_what_happened_to_bindings_stands_among_the_rest_by_time(
    database: Database, identities: Identities, followers: Followers, recorded: Recorded
) -> None:
    await followers.seen(Sender("main", OPENID, NOW))

    a_second_later = {"now": NOW + timedelta(seconds=1)}
    assert await database.attempt(lambda it: bind_in(it, identities, OPENID, "42", **a_second_later))
    async with database.writing() as connection:
        for second in (1, 2):
            at = NOW + timedelta(seconds=second)
            await connection.run_sync(
                write_entries, AuditEntry(at, AuditEvent.ANSWERED, "shop", detail=f"at {second}")
            )
    assert await recorded() == [("answered", "at 1"), ("bound", "ticket"), ("answered", "at 2")]
    assert await recorded(limit=1) == [("answered", "at 2")]
    assert await recorded(event="bound", openid=OPENID, user_id="42") == [("bound", "ticket")]
    assert await recorded(ticket="t1") == []
    [line] = await read(database, identities, AuditFilter(event="bound"), limit=5)
    assert line.openid == "…DIiE3bGY"


async def test_more_than_one_batch_is_written_in_order(audit: AuditLog, recorded: Recorded) -> None:
    count = 2 * auditing._BATCH + 1
    for number in range(count):
        audit.note(AuditEvent.SCANNED, detail=str(number))
    await audit.flush()
    assert await recorded(limit=2 * count) == [("scanned", str(number)) for number in range(count)]


async def test_a_key_is_recorded_when_another_takes_over(audit: AuditLog, recorded: Recorded) -> None:
    for used in ("signing aa", "signing aa", "sealing aa", "signing bb", "signing aa"):
        await audit.key_in_use(*used.split())
    assert await recorded() == [
        ("key_in_use", "signing aa"),
        ("key_in_use", "sealing aa"),
        ("key_rotated", "signing bb"),
        ("key_rotated", "signing aa"),
    ]


async def test_no_key_counts_as_rotated_when_its_entry_has_been_purged(
    audit: AuditLog, recorded: Recorded
) -> None:
    await audit.key_in_use("signing", "aa")
    assert await audit.purge(NOW + timedelta(days=1)) == 1
    await audit.key_in_use("signing", "aa")
    assert await recorded() == [("key_in_use", "signing aa")]


async def test_audit_queries_have_no_statement_timeout(
    audit: AuditLog, database: Database, url: str, tmp_path: Path
) -> None:
    """Red when the reader connects without `patient`: a search of millions of entries takes long."""
    if (dialect := database._engine.dialect.name) not in _LOCKED:
        pytest.skip("SQLite has no lock that readers wait for")
    audit.note(AuditEvent.SCANNED)
    await audit.flush()
    settings = validate({"data_dir": str(tmp_path), "database": {"url": url}, "secret_key": "k" * 40})
    async with database.writing() as connection:
        await connection.execute(sa.text(_LOCKED[dialect]))
        reading = asyncio.create_task(lines(settings, AuditFilter(), limit=5, as_json=False))
        early, _ = await asyncio.wait({reading}, timeout=3.5)
        if dialect != "postgresql":
            await connection.execute(sa.text("UNLOCK TABLES"))
    assert not early
    assert len(await reading) == 1


async def test_a_long_record_does_not_keep_a_service_from_starting(audit: AuditLog, database: Database) -> None:
    """Red when `ix_audit_event_at` is missing: each start then reads the record back to the last rotation."""
    if database._engine.dialect.name != "sqlite":
        pytest.skip("only SQLite returns its query plan as text")
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(writing_engine(database), "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, query: str, values: Any, *_: Any) -> None:
        asked.append((query, values))

    await audit.key_in_use("signing", "aa")
    [(query, values)] = [one for one in asked if one[0].startswith("SELECT")]
    async with database.reading() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)).all()
    assert plan[0].detail == "SEARCH audit USING INDEX ix_audit_event_at (event=?)"


class Away:
    """A database that does not answer until it is back."""

    def __init__(self, database: Database) -> None:
        self.back = False
        self.asked = asyncio.Event()
        self._database = database

    async def once(self, work: Any) -> Any:
        self.asked.set()
        if not self.back:
            raise StoreUnavailable("the database does not answer")
        return await self._database.once(work)


async def test_what_was_noted_waits_for_a_database_that_is_away(
    database: Database, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "_PAUSE", 0.01)
    monkeypatch.setattr(auditing, "_GATHER", 0.01)
    away: Any = Away(database)
    audit = AuditLog(away, clock=lambda: NOW)
    running = asyncio.create_task(audit.run())
    audit.note(AuditEvent.SCANNED)
    async with asyncio.timeout(20):
        await away.asked.wait()
        assert await recorded() == []
        away.back = True
        while not await recorded():
            await asyncio.sleep(0.01)
    running.cancel()
    assert audit.lost == 0


async def test_when_too_much_waits_the_oldest_go_and_are_counted(
    database: Database, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "_MOST_NOTED", 3)
    audit = AuditLog(database, clock=lambda: NOW)
    for number in range(5):
        audit.note(AuditEvent.SCANNED, detail=str(number))
    await audit.flush()
    assert audit.lost == 2
    assert [detail for _, detail in await recorded()] == ["2", "3", "4"]


async def test_old_lines_go_with_their_age(database: Database, audit: AuditLog, recorded: Recorded) -> None:
    """Red when `AuditLog.purge` deletes nothing, or asks for another column."""
    async with database.writing() as connection:
        for days in (3, 2, 0):
            await connection.run_sync(
                write_entries, AuditEntry(NOW - timedelta(days=days), AuditEvent.SCANNED, detail=str(days))
            )
    assert await audit.purge(NOW - timedelta(days=1)) == 2
    assert await recorded() == [("scanned", "0")]


async def test_many_of_a_kind_are_a_line_at_once_and_one_when_their_minute_is_over(
    database: Database, recorded: Recorded
) -> None:
    """Red when `run` waits for news alone: the count would wait for the next entry."""
    began = [math.inf]
    audit = AuditLog(database, clock=lambda: NOW + timedelta(seconds=max(0, 58 + time.monotonic() - began[0])))
    for _ in range(3000):
        audit.note(AuditEvent.EXCHANGE_REFUSED, client="shop")
    began[0] = time.monotonic()
    running = asyncio.create_task(audit.run())
    async with asyncio.timeout(10):
        while len(await recorded()) < 2:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await recorded() == [("exchange_refused", None), ("exchange_refused", "2999 more")]


async def test_what_is_counted_is_written_with_the_next_line_after_its_minute(
    database: Database, recorded: Recorded
) -> None:
    now = [NOW]
    audit = AuditLog(database, clock=lambda: now[0])
    for _ in range(3):
        audit.note(AuditEvent.EXCHANGE_REFUSED, client="shop")
    now[0] += timedelta(minutes=1)
    audit.note(AuditEvent.SCANNED)
    await audit.flush()
    assert [detail for _, detail in await recorded()] == [None, "2 more", None]


async def test_the_last_counts_are_written_at_the_end(audit: AuditLog, recorded: Recorded) -> None:
    """Red when `finish` does not ask for the rest."""
    for _ in range(3):
        audit.note(AuditEvent.EXCHANGE_REFUSED, client="shop")
    await audit.flush()
    assert await recorded() == [("exchange_refused", None)]
    await audit.finish()
    assert await recorded() == [("exchange_refused", None), ("exchange_refused", "2 more")]


async def test_two_who_write_what_was_noted_write_it_once(audit: AuditLog, recorded: Recorded) -> None:
    """Red when `flush` takes no lock."""
    for number in range(5):
        audit.note(AuditEvent.SCANNED, detail=str(number))
    await asyncio.gather(*(audit.flush() for _ in range(4)))
    assert [detail for _, detail in await recorded()] == ["0", "1", "2", "3", "4"]
