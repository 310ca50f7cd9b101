"""What a push was answered with, for a minute: a redelivery gets the same reply (PROTOCOL.md 3.4).

A convenience, not a guarantee: when Redis has lost it, the push is handled again and converges to the same end.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.event import Push
from service.redis import redis_errors

log = logging.getLogger(__name__)
_SECONDS: Final = 60
_PATIENCE: Final = 0.7
"""Seconds: a Redis that hangs must not use up the time in which SQL could do what the push is for."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What was said in answer; None for nothing."""

    text: str | None


class Deliveries:
    """Answers by account and push; and when somebody left, since what they did before comes too late."""

    def __init__(self, redis: "Redis | RedisCluster") -> None:
        self._redis = redis

    async def recall(self, account: str, push: Push) -> Answered | None:
        """Return what this very push was answered with before, if that is remembered.

        What somebody did before they left, and is delivered after, is answered with nothing.
        """
        try:
            async with _briefly():
                held, left = await self._redis.mget(_key(account, push), _left(account, push))
        except StoreUnavailable as e:
            log.warning("cannot tell redeliveries: %s", e.detail)
            return None
        if left and push.created < int(left):
            return Answered(None)
        return Answered(json.loads(held)) if held else None

    async def remember(self, account: str, push: Push, answered: Answered) -> None:
        """Keep what the push was answered with."""
        await self._keep(_key(account, push), json.dumps(answered.text))

    async def left(self, account: str, push: Push) -> None:
        """Keep that a person left with this push."""
        await self._keep(_left(account, push), str(push.created))

    async def _keep(self, key: str, value: str) -> None:
        try:
            async with _briefly():
                await self._redis.set(key, value, ex=_SECONDS)
        except StoreUnavailable as e:
            log.warning("cannot keep an answer for redeliveries: %s", e.detail)


@asynccontextmanager
async def _briefly() -> AsyncIterator[None]:
    with redis_errors():
        async with asyncio.timeout(_PATIENCE):
            yield


def _key(account: str, push: Push) -> str:
    return f"{_left(account, push)}:{push.key}"


def _left(account: str, push: Push) -> str:
    return f"scanbind:d:{{{account}:{push.openid}}}"
