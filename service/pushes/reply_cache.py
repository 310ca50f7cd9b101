"""Replies by push, in Redis, for as long as the push is accepted: a redelivery only gets the same reply again.

Best effort: if Redis has lost the reply, the push is handled again, with the same result.
"""

import asyncio
import json
import logging
from dataclasses import dataclass

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import Push
from service.identities.departures import Departures, briefly, left_mark

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CachedReply:
    """The text of a reply; None for no reply."""

    text: str | None


@dataclass(slots=True)
class ReplyCache:
    """Stores replies per account and push. A push from before the person unsubscribed gets no reply."""

    redis: "Redis | RedisCluster"
    departures: Departures

    async def recall(self, account: str, push: Push) -> CachedReply | None:
        """Return the stored reply to this push, if any.

        A push from before the person unsubscribed, delivered afterwards, gets no reply.
        """
        try:
            held, left = await briefly(self.redis.mget(_key(account, push), left_mark(account, push.openid)))
        except StoreUnavailable as e:
            log.warning("reply cache: cannot read from Redis, handling the push as new: %s", e)
            return None
        if left and push.created < int(left):
            return CachedReply(None)
        return CachedReply(json.loads(held)) if held else None

    async def remember(self, account: str, push: Push, answered: CachedReply) -> int | None:
        """Store the reply to a push; return when the person unsubscribed, if that was after this push."""
        # In this order, which a cluster does not keep: an unsubscribe at the same time finds the reply, or is
        # found here. A reply that is stored too late expires by itself.
        _, left = await asyncio.gather(
            self.departures.keep(account, _key(account, push), json.dumps(answered.text)),
            self._left(account, push),
        )
        return left

    async def _left(self, account: str, push: Push) -> int | None:
        try:
            left = await briefly(self.redis.get(left_mark(account, push.openid)))
        except StoreUnavailable as e:
            log.warning("reply cache: cannot read from Redis, a concurrent unsubscribe may be missed: %s", e)
            return None
        return int(left) if left and push.created < int(left) else None


def _key(account: str, push: Push) -> str:
    return f"{left_mark(account, push.openid)}:{push.key}"
