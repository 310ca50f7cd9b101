"""What each push was answered with, for as long as it is let in: a replay gets the same reply and does nothing.

A convenience, not a guarantee: when Redis has lost it, the push is handled again and converges to the same end.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.event import OpenId, Push, pseudonym
from service.redis import redis_errors
from service.settings import Account

log = logging.getLogger(__name__)
_MARGIN: Final = 60
"""Seconds beyond the last moment that a push is let in, since Redis's clock may differ from ours."""
_WITHOUT_WINDOW: Final = 3600
"""Seconds, where every timestamp is let in and so no time would be enough."""
_PATIENCE: Final = 0.7
"""Seconds: a Redis that hangs must not use up the time in which SQL could do what the push is for."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What was said in answer; None for nothing."""

    text: str | None


class Deliveries:
    """Answers by account and push; and when somebody left, since what they did before comes too late."""

    def __init__(self, redis: "Redis | RedisCluster", *, accounts: Mapping[str, Account]) -> None:
        self._redis = redis
        self._seconds = {name: remembered(account.max_skew) for name, account in accounts.items()}

    async def recall(self, account: str, push: Push) -> Answered | None:
        """Return what this very push was answered with before, if that is remembered.

        What somebody did before they left, and is delivered after, is answered with nothing.
        """
        try:
            async with _briefly():
                held, left = await self._redis.mget(_key(account, push), left_mark(account, push.openid))
        except StoreUnavailable as e:
            log.warning("cannot tell redeliveries: %s", e.detail)
            return None
        if left and push.created < int(left):
            return Answered(None)
        return Answered(json.loads(held)) if held else None

    async def remember(self, account: str, push: Push, answered: Answered) -> int | None:
        """Keep what the push was answered with; return when the person left, if that was after this push."""
        await self._keep(account, _key(account, push), json.dumps(answered.text))
        try:
            async with _briefly():
                left = await self._redis.get(left_mark(account, push.openid))
        except StoreUnavailable as e:
            log.warning("cannot tell who has left meanwhile: %s", e.detail)
            return None
        return int(left) if left and push.created < int(left) else None

    async def left(self, account: str, openid: OpenId, at: int) -> None:
        """Keep that a person left, *at* so many seconds since 1970."""
        await self._keep(account, left_mark(account, openid), str(at))

    async def _keep(self, account: str, key: str, value: str) -> None:
        try:
            async with _briefly():
                await self._redis.set(key, value, ex=self._seconds.get(account, _WITHOUT_WINDOW))
        except StoreUnavailable as e:
            log.warning("cannot keep an answer for redeliveries: %s", e.detail)


def remembered(max_skew: int) -> int:
    """Return for how many seconds a push is known again: it is let in *max_skew* before and after its stamp."""
    return 2 * max_skew + _MARGIN if max_skew else _WITHOUT_WINDOW


@asynccontextmanager
async def _briefly() -> AsyncIterator[None]:
    with redis_errors():
        async with asyncio.timeout(_PATIENCE):
            yield


def _key(account: str, push: Push) -> str:
    return f"{left_mark(account, push.openid)}:{push.key}"


def left_mark(account: str, openid: OpenId) -> str:
    """Return the key that says when somebody left: it stays when all else of theirs goes."""
    return f"scanbind:d:{{{account}:{pseudonym(openid)}}}"
