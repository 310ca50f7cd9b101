"""What each push was answered with, for as long as it is let in: a replay gets the same reply and does nothing.

A convenience, not a guarantee: when Redis has lost it, the push is handled again and converges to the same end.
"""

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
    """What was said in answer; None for nothing."""

    text: str | None


@dataclass(slots=True)
class ReplyCache:
    """Answers by account and push; what a person did before they left is answered with nothing."""

    redis: "Redis | RedisCluster"
    departures: Departures

    async def recall(self, account: str, push: Push) -> CachedReply | None:
        """Return what this very push was answered with before, if that is remembered.

        What somebody did before they left, and is delivered after, is answered with nothing.
        """
        try:
            async with briefly():
                held, left = await self.redis.mget(_key(account, push), left_mark(account, push.openid))
        except StoreUnavailable as e:
            log.warning("cannot tell redeliveries: %s", e.detail)
            return None
        if left and push.created < int(left):
            return CachedReply(None)
        return CachedReply(json.loads(held)) if held else None

    async def remember(self, account: str, push: Push, answered: CachedReply) -> int | None:
        """Keep what the push was answered with; return when the person left, if that was after this push."""
        await self.departures.keep(account, _key(account, push), json.dumps(answered.text))
        try:
            async with briefly():
                left = await self.redis.get(left_mark(account, push.openid))
        except StoreUnavailable as e:
            log.warning("cannot tell who has left meanwhile: %s", e.detail)
            return None
        return int(left) if left and push.created < int(left) else None


def _key(account: str, push: Push) -> str:
    return f"{left_mark(account, push.openid)}:{push.key}"
