"""Delivers events in the background, woken by the commit that wrote them. Each process has a sender.

An event is tried at least once: it is settled after its try, and if the process is killed between the two, it is
tried again.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import sample, uniform
from typing import Final, Protocol

import sqlalchemy as sa

from models.errors import StoreUnavailable
from models.outbox import State
from service.concurrency.tasks import cancel_and_wait
from service.outbox import queue
from service.outbox.outbox import Outbox
from service.outbox.queue import Message, Settlement
from service.storage.database import Database

log = logging.getLogger(__name__)

AT_ONCE: Final = 256
"""Tries at the same time, of all targets."""
POLL: Final = 4.0
"""Seconds between two looks at the queue, without a commit in this process."""
_GATHER: Final = 0.05
"""Seconds from a commit to the look, so that a busy service claims several events in one transaction."""
_STORING: Final = 3
"""Tries to store what became of deliveries, before another process may repeat them."""
_ON_ERROR: Final = timedelta(minutes=5)
_LET_FINISH: Final = 0.5
"""Seconds that tries may take to end when the service stops."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try, and what is stored with its settlement, in one transaction."""

    settlement: Settlement
    also: Callable[[sa.Connection], None] = lambda _: None


class Target(Protocol):
    """Delivers the events of one target."""

    def room(self, connection: sa.Connection, *, now: datetime) -> int:
        """Return how many events it takes at the same time now, those under way included."""

    async def deliver(self, message: Message) -> Attempt:
        """Try to deliver an event, in less than `queue.LEASE`."""


@dataclass(slots=True, kw_only=True)
class Sender:
    """Claims events and has their targets deliver them. Run `run` beside the server."""

    database: Database
    outbox: Outbox
    targets: Mapping[str, Target]
    clock: Callable[[], datetime]
    _lease: str = field(default_factory=lambda: secrets.token_urlsafe(16), init=False)
    _claiming: list[int] = field(default_factory=list, init=False)
    """The events of a claim whose tries have not begun."""
    _running: dict[int, "asyncio.Task[None]"] = field(default_factory=dict, init=False)
    _busy: Counter[str] = field(default_factory=Counter, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _tried: list[tuple[Message, Attempt]] = field(default_factory=list, init=False)
    _settling: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        """Deliver events until cancelled; then call `finish`."""
        self.outbox.wake = self._wake.set
        while True:
            self._wake.clear()
            try:
                await self._start_due()
            except StoreUnavailable as e:
                log.warning("outbox: cannot read the events that are due, trying again: %s", e)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), uniform(0.8, 1) * POLL)  # noqa: S311 - no secret
            await asyncio.sleep(_GATHER)

    async def finish(self) -> None:
        """Let tries that are under way end, or cancel them, so that another process may repeat them at once."""
        numbers, running = [*self._claiming, *self._running], list(self._running.values())
        if not numbers:
            return
        if running:
            await asyncio.wait(running, timeout=_LET_FINISH)
        await cancel_and_wait(*(task for task in running if not task.done()))
        with suppress(StoreUnavailable):  # then the leases end by themselves
            await self.database.attempt(partial(queue.release, numbers=numbers, lease=self._lease))

    async def _start_due(self) -> None:
        now = self.clock()
        numbers = await self.database.read(partial(self._due, now=now)) if len(self._running) < AT_ONCE else []
        if not numbers:
            return
        claim = partial(queue.claim, lease=self._lease, now=now, cipher=self.outbox.cipher)
        self._claiming = numbers
        for message in await self.database.attempt(lambda connection: claim(connection, numbers)):
            self._busy[message.target] += 1
            task = self._running[message.number] = asyncio.create_task(self._try(message))
            task.add_done_callback(partial(self._ended, message))
        self._claiming = []

    def _due(self, connection: sa.Connection, *, now: datetime) -> list[int]:
        numbers = list[int]()
        due = queue.due_targets(connection, tuple(self.targets), now=now)
        for name in sample(due, len(due)):  # in a new order each time, so that none waits for all before it
            busy = self._busy[name]
            room = self.targets[name].room(connection, now=now) - busy
            # The leased ones are not claimable, but a lease may end before its try does.
            found = queue.claimable(connection, name, now=now, limit=room + busy) if room > 0 else []
            numbers += [number for number in found if number not in self._running][:room]
        return numbers[: AT_ONCE - len(self._running)]

    def _ended(self, message: Message, _: "asyncio.Task[None]") -> None:
        del self._running[message.number]
        self._busy[message.target] -= 1
        self._wake.set()

    async def _try(self, message: Message) -> None:
        try:
            attempt = await self.targets[message.target].deliver(message)
        except Exception:
            log.exception("outbox: a delivery of %s failed", message.event)
            now = self.clock()
            attempt = Attempt(
                Settlement(state=State.PENDING, at=now, due_at=now + _ON_ERROR, fault="internal error")
            )
        self._tried.append((message, attempt))
        async with self._settling:  # meanwhile others end, whose results are stored in one transaction
            tried, self._tried = self._tried, []
            if tried:
                await self._store(tried)

    async def _store(self, tried: "Sequence[tuple[Message, Attempt]]") -> None:
        for _ in range(_STORING):
            try:
                return await self.database.attempt(partial(self._settle, tried=tried))
            except StoreUnavailable as e:
                log.warning("outbox: cannot store what became of %d events: %s", len(tried), e)
                await asyncio.sleep(1)
        return None

    def _settle(self, connection: sa.Connection, *, tried: "Sequence[tuple[Message, Attempt]]") -> None:
        for message, attempt in tried:
            cipher = self.outbox.cipher
            if queue.settle(connection, message, attempt.settlement, lease=self._lease, cipher=cipher):
                attempt.also(connection)
