"""Compare-and-swap in Redis. The rules live in Python; the script only swaps and publishes."""

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
    """Text under keys, changed only by swapping. One key a script, so it works in a cluster."""

    def __init__(self, redis: "Redis | RedisCluster", *, channel: str = "") -> None:
        self._redis = redis
        self._swap = redis.register_script(_SWAP)
        self._channel = channel

    async def load(self, key: str) -> str:
        """Return what stands under *key*, '' if nothing does.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return str(await self._redis.get(key) or "")

    async def change(self, key: str, move: Callable[[str], str], *, until: datetime) -> str:
        """Swap in what *move* makes of what stands there, until they agree; return what stands at the end.

        *move* is called again when somebody else was quicker; returning its argument changes nothing.

        Raises:
            StoreUnavailable: Redis does not answer, or others were quicker too often.
        """
        # A duration, not a moment: Redis's clock may differ from ours.
        milliseconds = max(1, (until - datetime.now(UTC)) // timedelta(milliseconds=1))
        held = await self.load(key)
        for _ in range(_ATTEMPTS):
            wanted = move(held)
            if wanted == held:
                return held
            with redis_errors():
                instead = await self._swap(keys=[key], args=[held, wanted, milliseconds, self._channel])
            if instead is None:
                return wanted
            held = instead
        raise StoreUnavailable("too many changes at once")
