"""Claims on pushes, in Redis: of all processes and deliveries, one passes a push on.

A claim ends soon, in case its process has died: then a redelivery passes the push on again, as WeChat would.
Longer than a claim, the reply is known (service/pushes/reply_cache.py).
"""

import logging
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import Push
from service.identities.departures import briefly, left_mark

log = logging.getLogger(__name__)

LASTS: Final = 6.0
"""Seconds: more than a push may take (contract.md 6), so that no process loses its claim while it waits."""


@dataclass(slots=True)
class PushClaims:
    """Claims pushes. Without Redis every delivery has its own claim: the target tells redeliveries apart."""

    redis: "Redis | RedisCluster"

    async def take(self, account: str, push: Push) -> bool | None:
        """Claim *push*; return False if another delivery has it, and None if Redis does not answer."""
        key = f"{left_mark(account, push.openid)}:{push.key}:p"
        try:
            return bool(await briefly(self.redis.set(key, "1", nx=True, px=int(LASTS * 1000))))
        except StoreUnavailable as e:
            log.warning("forward: cannot claim a push in Redis, a redelivery may be passed on again: %s", e)
            return None
