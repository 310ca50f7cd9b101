"""When followers unsubscribed, in Redis, for as long as pushes from before may still arrive.

Best effort: SQL compares times as well (service/identities/followers.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import OpenId, pseudonym
from service.config.accounts import Account
from service.storage.redis import redis_errors

T = TypeVar("T")

log = logging.getLogger(__name__)
_MARGIN: Final = 60
"""Seconds added to the time in which a push is accepted: Redis's clock may differ from ours."""
_WITHOUT_WINDOW: Final = 3600
"""Seconds to keep values of an account that accepts every timestamp: no duration would be sufficient."""
_PATIENCE: Final = 0.7
"""Timeout in seconds: a slow Redis must leave enough time for SQL before WeChat's own timeout."""


class Departures:
    """Stores when followers unsubscribed."""

    def __init__(self, redis: "Redis | RedisCluster", *, accounts: Mapping[str, Account]) -> None:
        self._redis = redis
        self._seconds = {name: remembered(account.max_skew) for name, account in accounts.items()}

    async def left(self, account: str, openid: OpenId, at: int) -> None:
        """Store that a person unsubscribed *at* this Unix time. A Redis failure is only logged."""
        try:
            await briefly(self._redis.set(left_mark(account, openid), str(at), ex=self.seconds(account)))
        except StoreUnavailable as e:
            log.warning("push history: cannot write to Redis, earlier pushes may miss an unsubscribe: %s", e)

    def seconds(self, account: str) -> int:
        """Return for how many seconds pushes of the account are accepted, and what is known of them is stored."""
        return self._seconds.get(account, _WITHOUT_WINDOW)


def remembered(max_skew: int) -> int:
    """Return how many seconds to store values: pushes are accepted *max_skew* before and after their timestamp."""
    return 2 * max_skew + _MARGIN if max_skew else _WITHOUT_WINDOW


async def briefly(commands: Awaitable[T]) -> T:
    """Await Redis commands with a timeout below one second; return their result. Raises StoreUnavailable."""
    with redis_errors():
        async with asyncio.timeout(_PATIENCE):
            return await commands


async def each_briefly(*commands: Awaitable[Any]) -> list[Any]:
    """Await Redis commands as `briefly` does; return the result of each, or its StoreUnavailable."""
    try:
        results = await briefly(asyncio.gather(*commands, return_exceptions=True))
    except StoreUnavailable as e:
        return [e] * len(commands)
    return [_unavailable(one) if isinstance(one, BaseException) else one for one in results]


def _unavailable(error: BaseException) -> StoreUnavailable:
    try:
        with redis_errors():
            raise error
    except StoreUnavailable as e:
        return e


def left_mark(account: str, openid: OpenId) -> str:
    """Return the key of the time when a person unsubscribed. An erasure keeps this key."""
    return f"scanbind:d:{{{account}:{pseudonym(openid)}}}"
