"""The pictures of mini programs' codes, in Redis until their tickets expire. WeChat draws them once."""

import base64
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.ticket import TicketId
from service.crypto.keyring import ClientKeys
from service.storage.redis import redis_errors

PICTURES: Final = "scanbind:i:"


@dataclass(slots=True)
class CodePictures:
    """Pictures by their ticket. All methods raise StoreUnavailable if Redis does not answer."""

    redis: "Redis | RedisCluster"

    async def add(self, ticket: TicketId, keys: ClientKeys, picture: bytes, *, lifetime: timedelta) -> None:
        """Store the picture for *lifetime*, after its proof."""
        # In base64, because clients of Redis decode what they read as text.
        text = base64.b64encode(picture).decode()
        held = f"{keys.code_picture(ticket, text)}.{text}"
        with redis_errors():
            await self.redis.set(PICTURES + ticket, held, ex=math.ceil(lifetime.total_seconds()))

    async def of(self, ticket: TicketId, keys: ClientKeys) -> bytes | None:
        """Return the picture; None if there is none, Redis lost it, or it was not stored with *keys*."""
        with redis_errors():
            held = str(await self.redis.get(PICTURES + ticket) or "")
        proof, _, text = held.partition(".")
        # Redis alone must not say what a page shows: a code of another ticket would be confirmed instead.
        return base64.b64decode(text) if keys.same(proof, keys.code_picture(ticket, text)) else None
