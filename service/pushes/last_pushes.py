"""When the last authentic push and the last URL verification of each account came, in Redis, for operators."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis, RedisCluster

from service.storage.redis import FAILURES, redis_errors

KEPT: Final = timedelta(days=90)
EVERY: Final = timedelta(seconds=10)
"""A process writes at most once in this time, for each account and kind."""


class Arrival(StrEnum):
    """What WeChat sent. The values are a part of the keys in Redis."""

    PUSH = "last_push"
    VERIFICATION = "last_verification"


@dataclass(slots=True)
class LastPushes:
    """Writes in the background, so that no push waits for it or fails by it; a write that fails is left out."""

    redis: "Redis | RedisCluster"
    _written: dict[tuple[str, Arrival], datetime] = field(default_factory=dict, init=False)
    _running: "set[asyncio.Task[None]]" = field(default_factory=set, init=False)

    def saw(self, account: str, at: datetime, arrival: Arrival = Arrival.PUSH) -> None:
        """Note that an authentic request for *account* arrived."""
        written = self._written.get((account, arrival))
        if written and abs(at - written) < EVERY:
            return
        self._written[account, arrival] = at
        task = asyncio.create_task(self._write(_key(account, arrival), at))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def read(self, accounts: Iterable[str], arrival: Arrival = Arrival.PUSH) -> dict[str, datetime | None]:
        """Return when the last one arrived for each account; None for none within 90 days.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        names = list(accounts)
        with redis_errors():
            found = await asyncio.gather(*(self.redis.get(_key(name, arrival)) for name in names))
        return {
            name: datetime.fromisoformat(str(at)) if at else None for name, at in zip(names, found, strict=True)
        }

    async def finish(self) -> None:
        """Wait for the writes that have begun."""
        while self._running:
            await asyncio.wait(self._running)

    async def _write(self, key: str, at: datetime) -> None:
        with suppress(*FAILURES):  # the next push tries again
            await self.redis.set(key, at.isoformat(timespec="seconds"), ex=KEPT)


def _key(account: str, arrival: Arrival) -> str:
    return f"scanbind:{arrival}:{account}"
