"""Deletes old rows in small transactions, so that nobody waits long behind it."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.database import Database

_BATCH: Final = 500  # rows deleted in one transaction
_BATCHES: Final = 200  # in one purge; what is left waits for the next


async def purge(database: Database, key: sa.Column[Any], before: datetime, *, when: sa.Column[datetime]) -> int:
    """Delete the rows of *key*'s table whose *when* is *before*; return how many, 100,000 at most.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    # MySQL deletes by no subquery with a limit, so a batch is read first.
    oldest = sa.select(key).where(when < before).limit(_BATCH)

    async def work(connection: AsyncConnection) -> int:
        keys = (await connection.scalars(oldest)).all()
        return (await connection.execute(sa.delete(key.table).where(key.in_(keys)))).rowcount

    total = 0
    for _ in range(_BATCHES):
        total += (deleted := await database.attempt(work))
        if deleted < _BATCH:
            break
    return total
