"""Old rows are deleted in small transactions that leave time to other writers."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from models.audit import AuditEntry, AuditEvent
from models.tables.audit import audit as log
from models.tables.columns import to_millisecond
from service.audit.log import AuditLog, write_entries
from service.storage import purge
from service.storage.database import Database, connect

NOW = to_millisecond(datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC))

MILLISECOND = timedelta(milliseconds=1)


async def doubled(database: Database, line: AuditEntry, *, times: int) -> int:
    """Insert 2 ** *times* copies of *line*; return their number."""
    columns = [column for column in log.c if column is not log.c.id]
    async with database.writing() as connection:
        await connection.run_sync(write_entries, line)
        for _ in range(times):
            await connection.execute(sa.insert(log).from_select(columns, sa.select(*columns)))
    return int(2**times)


async def test_one_purge_deletes_all_that_is_old_however_much(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `purge` ends after so many batches: what a flood has written would stay for weeks."""
    many = await doubled(
        database, AuditEntry(NOW - timedelta(days=200), AuditEvent.EXCHANGE_REFUSED, "shop"), times=11
    )
    audit = AuditLog(database, clock=lambda: NOW)
    audit.note(AuditEvent.SCANNED)
    await audit.flush()
    monkeypatch.setattr(purge, "_BATCH", 8)
    assert many > 250 * 8
    assert await audit.purge(NOW - timedelta(days=190)) == many
    async with database.reading() as connection:
        assert (await connection.scalars(sa.select(log.c.event))).all() == ["scanned"]


async def test_a_row_of_the_very_moment_stays(database: Database) -> None:
    async with database.writing() as connection:
        await connection.run_sync(
            write_entries, *(AuditEntry(at, AuditEvent.SCANNED) for at in (NOW, NOW - MILLISECOND))
        )
    assert await AuditLog(database, clock=lambda: NOW).purge(NOW) == 1


async def test_others_write_to_sqlite_while_much_is_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `purge` deletes all in one transaction: SQLite has one writer, and the others give up waiting."""
    monkeypatch.setattr(purge, "_BATCH", 64)
    async with connect("embedded", data_dir=tmp_path) as here, connect("embedded", data_dir=tmp_path) as there:
        many = await doubled(
            here, AuditEntry(NOW - timedelta(days=200), AuditEvent.EXCHANGE_REFUSED, "shop"), times=15
        )
        purging = asyncio.create_task(AuditLog(here, clock=lambda: NOW).purge(NOW - timedelta(days=190)))
        for number in range(20):
            for database in (here, there):  # the second as another process has it: they share no queue
                async with database.writing() as connection:
                    await connection.run_sync(
                        write_entries, AuditEntry(NOW, AuditEvent.SCANNED, detail=str(number))
                    )
        assert not purging.done(), "it is not through when forty others have written"
        assert await purging == many
        assert many > 500 * 64


async def test_a_purge_leaves_half_of_the_time_to_others(database: Database) -> None:
    """Red when `purge` does not pause: other processes found SQLite busy for seconds."""
    await doubled(database, AuditEntry(NOW - timedelta(days=200), AuditEvent.EXCHANGE_REFUSED), times=12)
    began, ended = [], []

    def begin(_: Any) -> None:
        began.append(time.monotonic())

    def commit(_: Any) -> None:
        ended.append(time.monotonic())

    sa.event.listen(Engine, "begin", begin)
    sa.event.listen(Engine, "commit", commit)
    try:
        await AuditLog(database, clock=lambda: NOW).purge(NOW)
    finally:
        sa.event.remove(Engine, "begin", begin)
        sa.event.remove(Engine, "commit", commit)
    assert len(began) == len(ended) > 8
    held = sum(end - start for start, end in zip(began[:-1], ended[:-1], strict=True))
    pauses = sum(start - end for start, end in zip(began[1:], ended[:-1], strict=True))
    assert pauses > held * 0.9
