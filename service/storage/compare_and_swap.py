"""Compare-and-swap in Redis. Python computes the new value; the Lua script only swaps and publishes it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from service.storage.redis import redis_errors

_SWAP: Final = files("service.storage").joinpath("compare_and_swap.lua").read_text()
_ATTEMPTS: Final = 8


class CasStore:
    """Text values that change only by compare-and-swap. The script uses one key, so it works in a cluster."""

    def __init__(self, redis: "Redis | RedisCluster", *, channel: str = "") -> None:
        self._redis = redis
        self._swap = redis.register_script(_SWAP)
        self._channel = channel

    async def load(self, key: str) -> str:
        """Return the value of *key*, or '' if it does not exist.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return str(await self._redis.get(key) or "")

    async def change(
        self, key: str, move: Callable[[str], str], *, until: datetime, expected: str | None = None
    ) -> str:
        """Replace the value of *key* with what *move* returns for it; return the final value.

        It expires at *until*, or when the old value would have, if that is later.

        *move* is called again if another caller changed the value in between. If it returns its argument, nothing
        is changed. *expected* is the value as far as the caller knows, which saves reading it.

        Raises:
            StoreUnavailable: Redis does not answer, or each of eight attempts met a concurrent change.
        """
        # A duration, because Redis's clock may differ from this machine's.
        milliseconds = max(1, (until - datetime.now(UTC)) // timedelta(milliseconds=1))
        current = await self.load(key) if expected is None else expected
        for _ in range(_ATTEMPTS):
            wanted = move(current)
            if wanted == current:
                return current
            with redis_errors():
                other = await self._swap(keys=[key], args=[current, wanted, milliseconds, self._channel])
            if other is None:
                return wanted
            current = other
        raise StoreUnavailable("too many concurrent changes of one key")
