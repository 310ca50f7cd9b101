"""Readiness of a database: a write that reaches the disk and leaves no row."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from harness import World

from models.errors import StoreUnavailable
from models.tables.commits import commit_marks
from service.server.readiness import SharedCheck, database_takes_writes
from service.storage.database import Database, connect


async def test_a_check_leaves_no_row(database: Database) -> None:
    await asyncio.gather(*(database_takes_writes(database) for _ in range(5)))
    async with database.reading() as connection:
        assert (await connection.execute(sa.select(commit_marks))).all() == []


async def test_a_database_that_is_not_there_fails(tmp_path: Path) -> None:
    async with connect("postgresql+asyncpg://nobody@127.0.0.1:1/none", data_dir=tmp_path) as nowhere:
        with pytest.raises(StoreUnavailable):
            await database_takes_writes(nowhere)


async def test_the_log_says_once_what_is_down_and_when_it_works_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `SharedCheck` logs nothing, or each failure."""
    monkeypatch.setattr("service.server.readiness._FRESH", 0)
    caplog.set_level("INFO", "service.server.readiness")
    reasons = iter(["127.0.0.1:6379/0: no answer in time"] * 2 + [""])

    async def answers() -> None:
        if reason := next(reasons):
            raise StoreUnavailable("Redis does not answer", reason=reason)

    shared = SharedCheck("redis", answers)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await shared()
    await shared()
    assert caplog.messages == [
        "readiness: redis is down: Redis does not answer: 127.0.0.1:6379/0: no answer in time",
        "readiness: redis is ok again",
    ]


async def test_a_postgresql_that_became_read_only_is_down_until_it_takes_writes(
    postgresql: str, postgres: Database, make: Callable[..., Any]
) -> None:
    """Red when the check only reads."""

    async def read_only(word: str) -> None:
        async with postgres.reading() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(sa.text(f"ALTER SYSTEM SET default_transaction_read_only = {word}"))
            await alone.execute(sa.text("SELECT pg_reload_conf()"))

    async def until(world: World, status: int, database: str) -> None:
        async with asyncio.timeout(60):
            while True:
                response = await world.call("GET", "/readyz")
                if response.status == status:
                    checks = (await response.json())["checks"]
                    assert checks == {"redis": "ok", "database": database, "background": "ok"}
                    return
                await asyncio.sleep(0.05)

    world: World = await make(database_url=postgresql)
    await until(world, 200, "ok")
    try:
        await read_only("on")
        await until(world, 503, "down")
    finally:
        await read_only("off")
    await until(world, 200, "ok")
