"""Who waits in this process, in memory: so many a ticket, so many an address, so many in all."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from models.errors import RateLimited
from models.ip_address import shares
from models.ticket import TicketId

STREAMS: Final = 8
"""Streams of one ticket at once."""
POLLS: Final = 16
"""Held polls of one ticket at once."""
AGAIN: Final = 2
"""Seconds after which one who was refused may ask again."""


class Waiter(Protocol):
    """A request that is held, on its connection and in its task."""

    @property
    def protocol(self) -> object: ...

    @property
    def task(self) -> "asyncio.Task[None]": ...


@dataclass(slots=True)
class Counter:
    """So many places a name, 0 for any number; *limit* is what a refusal names."""

    limit: str
    places: int
    _taken: dict[str, int] = field(default_factory=dict, init=False)

    def check(self, name: str, *, times: int) -> None:
        """Return if there is a place left. Raises RateLimited."""
        if 0 < self.places * times <= self._taken.get(name, 0):
            raise _refusal(self.limit)

    def enter(self, name: str) -> None:
        self._taken[name] = self._taken.get(name, 0) + 1

    def leave(self, name: str) -> None:
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


class WaitLimiter:
    """Gives out places to wait; 0 stands for no limit. An address of None is not counted."""

    def __init__(self, *, per_address: int, in_all: int) -> None:
        self._streams = Counter("streams_per_ticket", STREAMS)
        self._polls = Counter("polls_per_ticket", POLLS)
        self._addresses = Counter("waiting_per_address", per_address)
        self._in_all = in_all
        self._here: dict[object, Slot] = {}

    def stream(self, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        """Give a place for a stream of *ticket*, until the context ends.

        Raises:
            RateLimited: the ticket, the address or the process has as many as it may; those there are stay.
        """
        return self._slot(self._streams, ticket, address, waiter)

    def poll(self, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        """Give a place for a held poll of *ticket*. Raises: as `stream`."""
        return self._slot(self._polls, ticket, address, waiter)

    def leave(self, slot: "Slot") -> None:
        """Take a place back."""
        del self._here[slot.waiter.protocol]
        for counter, name in slot.counted:
            counter.leave(name)

    def gone(self, connection: object) -> None:
        """End the wait of whoever waited on *connection*, now that it is lost.

        Or a browser that comes and goes would hold as many places as it likes, each until its wait is over.
        """
        if slot := self._here.get(connection):
            slot.waiter.task.cancel()

    def _slot(self, tickets: Counter, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        if 0 < self._in_all <= len(self._here):
            raise _refusal("waiting")
        tickets.check(ticket, times=1)
        counted = [(tickets, str(ticket))]
        for whose, times in shares(address) if address and self._addresses.places else ():
            self._addresses.check(whose, times=times)
            counted.append((self._addresses, whose))
        for counter, name in counted:
            counter.enter(name)
        slot = self._here[waiter.protocol] = Slot(self, tuple(counted), waiter)
        return slot


@dataclass(slots=True, eq=False)
class Slot:
    """Held for as long as the context lasts. Thousands are held at once, so there is little to it."""

    limiter: WaitLimiter
    counted: tuple[tuple[Counter, str], ...]
    """Each name under which the slot counts, and where."""
    waiter: Waiter

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.limiter.leave(self)


def _refusal(limit: str) -> RateLimited:
    return RateLimited("too many are waiting already; ask again in a little", limit=limit, retry_after=AGAIN)
