"""Deletes old rows in small transactions, so that other writers do not wait long."""

import asyncio
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from service.storage.database import Database

_BATCH: Final = 500  # rows deleted in one transaction


async def purge(database: Database, key: sa.Column[Any], before: datetime, *, when: sa.Column[datetime]) -> int:
    """Delete all rows of *key*'s table with *when* earlier than *before*; return how many.

    Pauses after each transaction for as long as it took, because SQLite has one writer at a time across all
    processes: at least half of the time is left to the others.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    # MySQL cannot DELETE with a limited subquery, so the keys are read first.
    oldest = sa.select(key).where(when < before).limit(_BATCH)

    def work(connection: sa.Connection) -> tuple[int, int]:
        keys = connection.scalars(oldest).all()
        return len(keys), connection.execute(sa.delete(key.table).where(key.in_(keys))).rowcount

    loop, total = asyncio.get_running_loop(), 0
    while True:  # ends, because no rows older than *before* are added
        began = loop.time()
        found, deleted = await database.attempt(work)
        total += deleted
        if found < _BATCH:  # not *deleted*: another process may be purging too
            return total
        await asyncio.sleep(loop.time() - began)
