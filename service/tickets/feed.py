"""Waits for ticket changes and caches tickets in this process, over one Redis pub/sub connection.

Three rules. Subscribe before reading, so that no change is lost in between. After every (re)connection, clear the
cache and wake all waiters, because a change may have been missed. Use a cached ticket for ten seconds only, after
it was read or after a probe that arrived was published: what was published before has arrived as well.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from secrets import token_hex
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub

from models.ticket import Ticket, TicketId
from service.storage.reasons import redis_reason
from service.storage.redis import FAILURES
from service.tickets import store

log = logging.getLogger(__name__)
_MAX_AGE: Final = 10.0
"""Seconds for which a cached ticket is used without proof: the connection may have died unnoticed."""
_MAX_CACHED: Final = 20_000
_KEPT: Final = 60.0
"""Seconds after which the next call of `cache` deletes a ticket, with the openid that scanned it."""
_PING: Final = 5.0
_PROBE: Final = 4.0
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class _Entry:
    """A cached ticket, the time at which it was read (monotonic seconds), and the note kept with it."""

    read_at: float
    ticket: Ticket
    note: Any = None


class _Wait:
    """A future, and the callback of its timer. Kept small: there are thousands at once."""

    __slots__ = ("_again", "future", "timer")

    def __init__(self, again: Callable[[], float]) -> None:
        self._again = again
        self.future = asyncio.get_running_loop().create_future()

    def start(self, seconds: float) -> None:
        # A bare timer: with thousands of waiters asyncio.timeout costs more, and it cancels the task each time.
        self.timer = asyncio.get_running_loop().call_later(seconds, self)

    def __call__(self) -> None:
        if self.future.done():
            return
        if more := self._again():
            self.start(more)
        else:
            _release(self.future)


@dataclass(slots=True)
class Feed:
    """Receives ticket changes of all processes. Run `run` and `probe` beside the server."""

    redis: "Redis | RedisCluster"
    _: KW_ONLY
    missed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set after each (re)connection: changes may have been published meanwhile."""
    _cache: dict[TicketId, _Entry] = field(default_factory=dict, init=False)
    _waiting: dict[TicketId, list[asyncio.Future[None]]] = field(default_factory=dict, init=False)
    _closed: bool = field(default=False, init=False)
    _lost: bool = field(default=False, init=False)
    _probes: str = field(default_factory=lambda: f"{store.CHANNEL}:{token_hex(8)}", init=False)
    """The channel of this process's probes. A probe is the time at which it is sent."""
    _confirmed: float = field(default=0.0, init=False)
    """When the last probe that arrived was sent; all that was published earlier has arrived."""
    connected: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _cluster: bool = field(init=False)

    def __post_init__(self) -> None:
        self._cluster = isinstance(self.redis, RedisCluster)  # once: of this class it takes a microsecond

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return sum(map(len, self._waiting.values()))

    def cached(self, ticket: TicketId) -> Ticket | None:
        """Return the ticket from the cache, if connected and the entry is fresh."""
        entry = self._cache.get(ticket)
        if entry is None or not self.connected.is_set():
            return None
        # The nodes of a cluster forward publications in no common order, so there a probe proves nothing.
        sure = entry.read_at if self._cluster else max(entry.read_at, self._confirmed)
        return entry.ticket if time.monotonic() - sure <= _MAX_AGE else None

    def annotate(self, ticket: Ticket, note: Any) -> None:
        """Keep *note* with the cached *ticket* until that is read again, changes or is deleted."""
        entry = self._cache.get(ticket.id)
        if entry and entry.ticket is ticket:
            entry.note = note

    def note(self, ticket: TicketId) -> Any:
        """Return the note kept with the cached ticket, even if that is no longer fresh; None if there is none."""
        entry = self._cache.get(ticket)
        return entry and entry.note

    def cache(self, ticket: Ticket) -> None:
        """Cache a ticket just read or published and wake its waiters; an older version is ignored."""
        before = self._cache.pop(ticket.id, None)
        if before and before.ticket.version > ticket.version:
            ticket = before.ticket
        now = time.monotonic()
        self._cache[ticket.id] = _Entry(now, ticket)
        oldest = next(iter(self._cache))
        while len(self._cache) > _MAX_CACHED or now - self._cache[oldest].read_at > _KEPT:
            del self._cache[oldest]
            oldest = next(iter(self._cache))
        if before is None or before.ticket.version < ticket.version:
            self._wake(ticket.id)  # only if newer, or two concurrent readers would wake each other for ever

    async def wait(self, ticket: Ticket, *, seconds: float, again: Callable[[], float] = lambda: 0.0) -> None:
        """Wait until *ticket* may have changed, for at most *seconds*; return at once when closed.

        *again* is called after *seconds*: the wait goes on for as long as it returns, and ends if that is 0.
        """
        entry = self._cache.get(ticket.id)
        if self._closed or (entry and entry.ticket.version > ticket.version):
            return
        wait = _Wait(again)
        waiters = self._waiting.setdefault(ticket.id, [])
        waiters.append(wait.future)
        wait.start(seconds)
        try:
            await wait.future
        finally:
            wait.timer.cancel()
            waiters.remove(wait.future)
            if not waiters and self._waiting.get(ticket.id) is waiters:
                del self._waiting[ticket.id]

    def wake_all(self) -> None:
        """End all waits: what waits reads its ticket again."""
        for ticket in self._waiting:
            self._wake(ticket)

    def close(self) -> None:
        """End all waits, present and future."""
        self._closed = True
        self.wake_all()

    async def run(self) -> None:
        """Receive changes until cancelled; reconnect with bounded backoff."""
        failures = 0
        while True:
            try:
                await self.redis.initialize()  # a cluster client must discover its nodes before it can subscribe
                async with self.redis.pubsub() as pubsub:
                    await pubsub.subscribe(store.CHANNEL, self._probes)
                    failures = 0
                    await self._listen(pubsub)
            except FAILURES as e:
                log.warning("ticket feed: lost the Redis connection, reconnecting: %s", redis_reason(e))
                self._lost = True
            finally:
                self.connected.clear()
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def probe(self) -> None:
        """Publish probes until cancelled; without them, cached tickets are read again every ten seconds."""
        while True:
            with suppress(*FAILURES):
                await self.redis.publish(self._probes, str(time.monotonic()))
            await asyncio.sleep(_PROBE)

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
            kind, channel = message["type"], message["channel"]
            if kind == "subscribe" and channel == store.CHANNEL:  # sent again when redis-py itself reconnects
                self._on_subscribed()
            elif kind == "message" and channel == self._probes:
                self._confirmed = float(message["data"])
            elif kind == "message":
                self._receive(message["data"])

    def _on_subscribed(self) -> None:
        if self._lost:
            log.info("ticket feed: reconnected to Redis")
            self._lost = False
        self._cache.clear()
        self.connected.set()
        self.missed.set()
        self.wake_all()

    def _receive(self, data: str) -> None:
        # Every process receives every change, its own as well. To decode one takes 15 us, to ignore it 2.
        if (named := store.named(data)) and self._ignores(*named):
            return
        try:
            ticket = store.decode(data)
        except (ValueError, KeyError, TypeError):
            log.warning(
                "ticket feed: ignored a message that cannot be decoded; does another process run a newer version?"
            )
            return
        if not self._ignores(ticket.id, ticket.version):
            self.cache(ticket)

    def _ignores(self, ticket: TicketId, version: int) -> bool:
        """Tell whether this version of a ticket is cached already, or no caller in this process follows it."""
        entry = self._cache.get(ticket)
        return entry.ticket.version >= version if entry else ticket not in self._waiting

    def _wake(self, ticket: TicketId) -> None:
        for future in self._waiting.get(ticket, ()):
            _release(future)


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
