"""A database that accepts statements and answers none, or no connection."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from freezing import frozen, postgresql_pids
from harness import World
from serving import port_of_a_process
from streams import block, event, stream

from models.errors import StoreUnavailable
from models.tables.commits import commit_marks
from service.storage import database
from service.storage.database import Database


async def test_a_stream_gives_signs_of_life_while_the_database_hangs(
    postgresql: str, postgres: Database, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `status._reread` only awaits the read: a lapse is asked of SQL."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", 0.1)
    monkeypatch.setitem(database._ANSWERING["asyncpg"], "command_timeout", 60)
    world: World = await make(database_url=postgresql)
    page = await world.login()
    pids = await postgresql_pids(postgres)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        with frozen(pids):
            world.clock.advance(301)
            assert [await block(response) for _ in range(20)] == [":\n"] * 20
        assert (await event(response))["data"]["status"] == "expired"
        assert await block(response) == ""


async def test_a_single_statement_that_waits_for_too_long_is_sent_once(
    postgresql: str, postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when its timeout counts as the lost answer of a commit."""
    monkeypatch.setitem(database._ANSWERING["asyncpg"], "command_timeout", 0.3)
    mark = sa.insert(commit_marks).values(id="held", at=datetime.now(UTC))
    tries = 0

    def work(connection: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        connection.execute(mark)

    async with postgres.writing() as connection, database.connect(postgresql, data_dir=tmp_path) as impatient:
        await connection.execute(mark)
        with pytest.raises(StoreUnavailable):
            await impatient.attempt(work, single=True)
        assert tries == 1


async def test_a_single_statement_that_could_not_be_sent_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when it counts as committing before there is a connection."""
    monkeypatch.setattr(database, "_SETTLE_WITHIN", 3600.0)
    nowhere = f"postgresql+asyncpg://u:p@127.0.0.1:{port_of_a_process()}/x"
    async with database.connect(nowhere, data_dir=tmp_path) as refused, asyncio.timeout(30):
        with pytest.raises(StoreUnavailable):
            await refused.attempt(lambda connection: connection.execute(sa.text("SELECT 1")), single=True)
