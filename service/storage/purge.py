"""Deletes old rows in small transactions, so that no other writer waits long behind it."""

import asyncio
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.database import Database

_BATCH: Final = 500  # rows deleted in one transaction


async def purge(database: Database, key: sa.Column[Any], before: datetime, *, when: sa.Column[datetime]) -> int:
    """Delete the rows of *key*'s table whose *when* is *before*, all of them; return how many.

    After each transaction it pauses for as long as that took: SQLite has one writer at a time, in all processes
    together, and at least half of the time is left to the others.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    # MySQL deletes by no subquery with a limit, so a batch is read first.
    oldest = sa.select(key).where(when < before).limit(_BATCH)

    async def work(connection: AsyncConnection) -> tuple[int, int]:
        keys = (await connection.scalars(oldest)).all()
        return len(keys), (await connection.execute(sa.delete(key.table).where(key.in_(keys)))).rowcount

    loop, total = asyncio.get_running_loop(), 0
    while True:  # ends, for nothing that is older than *before* is added
        began = loop.time()
        found, deleted = await database.attempt(work)
        total += deleted
        if found < _BATCH:  # and not what was deleted: another process may purge at the same time
            return total
        await asyncio.sleep(loop.time() - began)
