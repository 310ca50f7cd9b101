"""Readiness checks of the stores, with a write each.

A full disk, a read-only replica and a Redis over its `maxmemory` still answer reads.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

import sqlalchemy as sa
from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.tables.commits import commit_marks
from service.app_keys import Check
from service.storage.database import Database
from service.storage.redis import redis_errors

log = logging.getLogger(__name__)

_FRESH: Final = 1.0
"""Seconds for which a result is reused, so that callers who poll cannot make the stores write."""
_KEY: Final = "scanbind:ready"
_KEPT: Final = 60
"""Seconds after which the key expires."""
_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class SharedCheck:
    """A check that runs once for all concurrent callers, and at most once in `_FRESH` seconds.

    The log names the part that fails, when it begins to and when it works again.
    """

    name: str
    check: Check
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _until: float = field(default=0.0, init=False)
    _failure: BaseException | None = field(default=None, init=False)

    async def __call__(self) -> None:
        """Raise RuntimeError if the check failed."""
        async with self._turn:
            if asyncio.get_running_loop().time() >= self._until:
                await self._run()
        if self._failure:
            raise RuntimeError("the check has failed") from self._failure

    async def _run(self) -> None:
        try:
            await self.check()
        except BaseException as e:
            if not self._failure:
                log.warning("readiness: %s is down: %s", self.name, _why(e))
            self._failure = e
            if not isinstance(e, Exception):
                raise  # cancelled: the caller's time is up
        else:
            if self._failure:
                log.info("readiness: %s is ok again", self.name)
            self._failure = None
        finally:
            self._until = asyncio.get_running_loop().time() + _FRESH


def _why(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "no answer in time"
    return str(error) if isinstance(error, StoreUnavailable) else type(error).__name__


async def redis_takes_writes(redis: "Redis | RedisCluster") -> None:
    """Write a key that expires.

    Raises:
        StoreUnavailable: Redis does not answer or refuses writes.
    """
    with redis_errors():
        await redis.set(_KEY, "", ex=_KEPT)


async def database_takes_writes(database: Database) -> None:
    """Insert a row and delete it in one committed transaction: only a commit reaches the disk.

    Each check has a row of its own, so that no process waits for another that hangs. Other transactions never read
    it.

    Raises:
        StoreUnavailable: the database does not answer or refuses writes.
    """
    mark = f"ready-{token_hex(8)}"

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(commit_marks).values(id=mark, at=_NEVER))
        connection.execute(sa.delete(commit_marks).where(commit_marks.c.id == mark))

    await database.attempt(work)
