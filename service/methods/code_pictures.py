"""The pictures of mini programs' codes, in Redis until their tickets expire. WeChat draws them once."""

import base64
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.ticket import TicketId
from service.storage.redis import redis_errors

_KEYS: Final = "scanbind:i:"


@dataclass(slots=True)
class CodePictures:
    """Pictures by their ticket. All methods raise StoreUnavailable if Redis does not answer."""

    redis: "Redis | RedisCluster"

    async def add(self, ticket: TicketId, picture: bytes, *, lifetime: timedelta) -> None:
        """Store the picture for *lifetime*."""
        with redis_errors():
            # In base64, because clients of Redis decode what they read as text.
            await self.redis.set(_KEYS + ticket, base64.b64encode(picture), ex=math.ceil(lifetime.total_seconds()))

    async def of(self, ticket: TicketId) -> bytes | None:
        """Return the picture; None if there is none, or Redis lost it."""
        with redis_errors():
            held = await self.redis.get(_KEYS + ticket)
        return base64.b64decode(held) if held else None
