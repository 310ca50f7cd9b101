"""When followers left an account, in Redis, for as long as pushes about what they did before may still arrive.

A convenience, not a guarantee: SQL compares times as well (service/identities/followers.py).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import OpenId, pseudonym
from service.config.settings import Account
from service.storage.redis import redis_errors

log = logging.getLogger(__name__)
_MARGIN: Final = 60
"""Seconds beyond the last moment that a push is let in, since Redis's clock may differ from ours."""
_WITHOUT_WINDOW: Final = 3600
"""Seconds, where every timestamp is let in and so no time would be enough."""
_PATIENCE: Final = 0.7
"""Seconds: a Redis that hangs must not use up the time in which SQL could do what the push is for."""


class Departures:
    """Keeps when followers left, and other values about pushes for the same time."""

    def __init__(self, redis: "Redis | RedisCluster", *, accounts: Mapping[str, Account]) -> None:
        self._redis = redis
        self._seconds = {name: remembered(account.max_skew) for name, account in accounts.items()}

    async def left(self, account: str, openid: OpenId, at: int) -> None:
        """Keep that a person left, *at* so many seconds since 1970."""
        await self.keep(account, left_mark(account, openid), str(at))

    async def keep(self, account: str, key: str, value: str) -> None:
        """Keep *value* for as long as pushes of the account are let in; only log it when Redis does not answer."""
        try:
            async with briefly():
                await self._redis.set(key, value, ex=self._seconds.get(account, _WITHOUT_WINDOW))
        except StoreUnavailable as e:
            log.warning("cannot keep an answer for redeliveries: %s", e.detail)


def remembered(max_skew: int) -> int:
    """Return for how many seconds a push is known again: it is let in *max_skew* before and after its stamp."""
    return 2 * max_skew + _MARGIN if max_skew else _WITHOUT_WINDOW


@asynccontextmanager
async def briefly() -> AsyncIterator[None]:
    """Give Redis less than a second. Raises StoreUnavailable."""
    with redis_errors():
        async with asyncio.timeout(_PATIENCE):
            yield


def left_mark(account: str, openid: OpenId) -> str:
    """Return the key that says when somebody left: it stays when all else of theirs goes."""
    return f"scanbind:d:{{{account}:{pseudonym(openid)}}}"
