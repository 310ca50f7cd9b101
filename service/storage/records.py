"""Values of one type in Redis, as JSON. Each change is a compare-and-swap."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis, RedisCluster

from service.storage.compare_and_swap import CasStore

log = logging.getLogger(__name__)
T = TypeVar("T")


class RecordStore(Generic[T]):
    """Values of the dataclass *kind*, under keys that begin with *prefix*.

    All methods raise StoreUnavailable if Redis does not answer.
    """

    def __init__(self, redis: "Redis | RedisCluster", prefix: str, kind: type[T]) -> None:
        self._cas = CasStore(redis)
        self._prefix = prefix
        self._json: TypeAdapter[T] = TypeAdapter(kind)

    async def load(self, name: str) -> T | None:
        """Return the value; None if there is none, or another version wrote it."""
        return self._decoded(await self._cas.load(self._prefix + name))

    async def add(self, name: str, value: T, *, until: datetime) -> None:
        """Store a value under a name that has none yet, until *until*."""
        text = self._encoded(value)
        await self._cas.change(self._prefix + name, lambda _: text, until=until, expected="")

    async def change(self, name: str, move: Callable[[T], T], *, until: datetime) -> T | None:
        """Apply *move* to the value and return the result; None if there is none."""

        def swap(held: str) -> str:
            before = self._decoded(held)
            if before is None:
                return held
            after = move(before)
            return held if after is before else self._encoded(after)

        return self._decoded(await self._cas.change(self._prefix + name, swap, until=until))

    def _encoded(self, value: T) -> str:
        return self._json.dump_json(value, exclude_none=True).decode()

    def _decoded(self, text: str) -> T | None:
        try:
            return self._json.validate_json(text) if text else None
        except ValidationError:  # which quotes the value
            log.warning("Redis: a value under %s cannot be read, and counts as lost", self._prefix)
            return None
