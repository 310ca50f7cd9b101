"""Replies by push, in Redis, for as long as the push is accepted: a redelivery only gets the same reply again.

Best effort: if Redis has lost the reply, the push is handled again, with the same result.
"""

import json
import logging
from dataclasses import dataclass
from typing import Final, Self

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from models.events import Push
from service.identities.departures import Departures, briefly, each_briefly, left_mark
from service.wechat.relayed_reply import Relayed

log = logging.getLogger(__name__)


Reply = str | Relayed | None
"""A text of the service, what a target replied, or no reply."""
_RELAYED: Final = "relayed"


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A reply as it was given, so that it can be given again. A target's is stored without the person's openid."""

    reply: Reply

    @classmethod
    def read(cls, stored: str | bytes) -> Self:
        value = json.loads(stored)
        return cls(Relayed(value[_RELAYED]) if isinstance(value, dict) else value)

    def written(self) -> str:
        return json.dumps({_RELAYED: self.reply.fields} if isinstance(self.reply, Relayed) else self.reply)


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
            mark = left_mark(account, push.openid)
            held, left = await briefly(self.redis.mget(_key(mark, push), mark))
        except StoreUnavailable as e:
            log.warning("reply cache: cannot read from Redis, handling the push as new: %s", e)
            return None
        if left and push.created < int(left):
            return CachedReply(None)
        return CachedReply.read(held) if held else None

    async def remember(self, account: str, push: Push, answered: CachedReply) -> int | None:
        """Store the reply to a push; return when the person unsubscribed, if that was after this push."""
        mark, seconds = left_mark(account, push.openid), self.departures.seconds(account)
        # In this order: see `PushDispatcher._remember`.
        storing, reading = self.redis.set(_key(mark, push), answered.written(), ex=seconds), self.redis.get(mark)
        stored, left = await each_briefly(storing, reading)
        if isinstance(stored, StoreUnavailable):
            log.warning("reply cache: cannot write to Redis, a redelivered push may be handled again: %s", stored)
        if isinstance(left, StoreUnavailable):
            log.warning("reply cache: cannot read from Redis, a concurrent unsubscribe may be missed: %s", left)
            return None
        return int(left) if left and push.created < int(left) else None


def _key(mark: str, push: Push) -> str:
    return f"{mark}:{push.key}"
