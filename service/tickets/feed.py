"""Waits for ticket changes and caches tickets in this process, over one Redis pub/sub connection.

Two rules. Subscribe before reading, so that no change is lost in between. After every (re)connection, clear the
cache and wake all waiters, because a change may have been missed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub

from models.ticket import Ticket, TicketId
from service.storage.reasons import redis_reason
from service.storage.redis import FAILURES
from service.tickets import store

log = logging.getLogger(__name__)
_MAX_AGE: Final = 10.0
"""Seconds for which a cached ticket is used: the connection may have died unnoticed."""
_MAX_CACHED: Final = 20_000
_KEPT: Final = 60.0
"""Seconds after which the next call of `cache` deletes a ticket, with the openid that scanned it."""
_PING: Final = 5.0
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class Feed:
    """Receives ticket changes of all processes. Run `run` beside the server."""

    redis: "Redis | RedisCluster"
    _: KW_ONLY
    on_connect: Callable[[], None] = lambda: None
    _cache: dict[TicketId, tuple[float, Ticket]] = field(default_factory=dict, init=False)
    _waiting: dict[TicketId, list[asyncio.Future[None]]] = field(default_factory=dict, init=False)
    _closed: bool = field(default=False, init=False)
    _lost: bool = field(default=False, init=False)
    connected: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return sum(map(len, self._waiting.values()))

    def cached(self, ticket: TicketId) -> Ticket | None:
        """Return the ticket from the cache, if connected and the entry is fresh."""
        entry = self._cache.get(ticket)
        if entry is None or not self.connected.is_set() or time.monotonic() - entry[0] > _MAX_AGE:
            return None
        return entry[1]

    def cache(self, ticket: Ticket) -> None:
        """Cache a ticket just read or published and wake its waiters; an older version is ignored."""
        before = self._cache.pop(ticket.id, None)
        if before and before[1].version > ticket.version:
            ticket = before[1]
        now = time.monotonic()
        self._cache[ticket.id] = (now, ticket)
        oldest = next(iter(self._cache))
        while len(self._cache) > _MAX_CACHED or now - self._cache[oldest][0] > _KEPT:
            del self._cache[oldest]
            oldest = next(iter(self._cache))
        if before is None or before[1].version < ticket.version:
            self._wake(ticket.id)  # only if newer, or two concurrent readers would wake each other for ever

    async def wait(self, ticket: Ticket, *, seconds: float) -> None:
        """Wait until *ticket* may have changed, for at most *seconds*; return at once when closed."""
        entry = self._cache.get(ticket.id)
        if self._closed or (entry and entry[1].version > ticket.version):
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiters = self._waiting.setdefault(ticket.id, [])
        waiters.append(future)
        # A bare timer: with thousands of waiters asyncio.timeout costs more, and it cancels the task each time.
        timer = loop.call_later(seconds, _release, future)
        try:
            await future
        finally:
            timer.cancel()
            waiters.remove(future)
            if not waiters and self._waiting.get(ticket.id) is waiters:
                del self._waiting[ticket.id]

    def close(self) -> None:
        """End all waits, present and future."""
        self._closed = True
        self._wake_all()

    async def run(self) -> None:
        """Receive changes until cancelled; reconnect with bounded backoff."""
        failures = 0
        while True:
            try:
                await self.redis.initialize()  # a cluster client must discover its nodes before it can subscribe
                async with self.redis.pubsub() as pubsub:
                    await pubsub.subscribe(store.CHANNEL)
                    failures = 0
                    await self._listen(pubsub)
            except FAILURES as e:
                log.warning("ticket feed: lost the Redis connection, reconnecting: %s", redis_reason(e))
                self._lost = True
            finally:
                self.connected.clear()
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def _listen(self, pubsub: PubSub) -> None:
        unanswered = 0
        while True:
            message = await pubsub.get_message(timeout=_PING)
            if message is None:
                if unanswered:
                    raise TimeoutError
                unanswered += 1
                await pubsub.ping()
                continue
            unanswered = 0
            if message["type"] == "subscribe":  # sent again after each reconnection by redis-py itself
                self._on_subscribed()
            elif message["type"] == "message":
                self._receive(message["data"])

    def _on_subscribed(self) -> None:
        if self._lost:
            log.info("ticket feed: reconnected to Redis")
            self._lost = False
        self._cache.clear()
        self.connected.set()
        self.on_connect()
        self._wake_all()

    def _receive(self, data: str) -> None:
        try:
            ticket = store.decode(data)
        except (ValueError, KeyError, TypeError):
            log.warning(
                "ticket feed: ignored a message that cannot be decoded; does another process run a newer version?"
            )
            return
        if ticket.id in self._cache or ticket.id in self._waiting:
            self.cache(ticket)

    def _wake(self, ticket: TicketId) -> None:
        for future in self._waiting.get(ticket, ()):
            _release(future)

    def _wake_all(self) -> None:
        for ticket in self._waiting:
            self._wake(ticket)


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
