"""Run two transactions of which the second waits for a lock of the first."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, Final

import pytest
import sqlalchemy as sa

from service.storage.database import Database

_WAITING: Final = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    "mysql": (_MYSQL := "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"),
    "mariadb": _MYSQL,
}


async def overlapping(
    database: Database, first: Callable[[sa.Connection], Any], second: Coroutine[Any, Any, Any]
) -> Any:
    """Return what *second* returns, which is started in the open transaction of *first* and has to wait for it."""
    async with database.writing() as connection:
        await connection.run_sync(first)
        waiting = asyncio.ensure_future(second)
        with ExitStack() as otherwise:
            otherwise.callback(waiting.cancel)
            await a_lock_is_waited_for(database)
            otherwise.pop_all()
    return await waiting


async def a_lock_is_waited_for(database: Database) -> None:
    """Return once a transaction waits; skip the test on SQLite, which has one writer at a time."""
    query = _WAITING.get(database._engine.dialect.name)
    if query is None:
        pytest.skip("one writer at a time")
    async with asyncio.timeout(10):
        while not await database.read(lambda connection: connection.scalar(sa.text(query))):
            await asyncio.sleep(0.2)  # MariaDB renews its view only if it is not read for 0.1 s
