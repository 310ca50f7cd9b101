"""Limits the requests that wait in this process: per ticket, per address and in total. Kept in memory."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from models.errors import RateLimited
from models.ip_address import shares
from models.ticket import TicketId

STREAMS: Final = 8
"""Concurrent event streams per ticket."""
POLLS: Final = 16
"""Concurrent long polls per ticket."""
AGAIN: Final = 2
"""Retry-After of a refusal, in seconds."""
_REPEATS: Final = 8
"""How often a ticket's state is sent at once to requests that would have waited."""
_MOST_REPEATED: Final = 4096
"""Tickets whose repeats are counted, 300 bytes each; the one that was counted longest ago is dropped first."""


class Waiter(Protocol):
    """A waiting request: its connection and its task."""

    @property
    def protocol(self) -> object: ...

    @property
    def task(self) -> "asyncio.Task[None]": ...


@dataclass(slots=True)
class Counter:
    """Counts waits per name, up to *places* each (0: no limit); *limit* is the name of the limit in a refusal."""

    limit: str
    places: int
    _taken: dict[str, int] = field(default_factory=dict, init=False)

    @property
    def total(self) -> int:
        """Return the number of waits under all names."""
        return sum(self._taken.values())

    def check(self, name: str, *, times: int) -> None:
        """Raise RateLimited unless there is a place left."""
        if 0 < self.places * times <= self._taken.get(name, 0):
            raise _refusal(self.limit)

    def enter(self, name: str) -> None:
        self._taken[name] = self._taken.get(name, 0) + 1

    def leave(self, name: str) -> None:
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


class WaitLimiter:
    """Allocates places to wait; 0 is no limit. An address of None is not counted."""

    def __init__(self, *, per_address: int, in_all: int) -> None:
        self._streams = Counter("streams_per_ticket", STREAMS)
        self._polls = Counter("polls_per_ticket", POLLS)
        self._addresses = Counter("waiting_per_address", per_address)
        self._in_all = in_all
        self._here: dict[object, Slot] = {}
        self._sent: dict[TicketId, tuple[str, int]] = {}

    @property
    def taken(self) -> dict[str, int]:
        """Return how many event streams and long polls wait in this process."""
        return {"streams": self._streams.total, "polls": self._polls.total}

    @property
    def waiting(self) -> int:
        """Return how many requests wait in this process; quickly, as each comment of a stream asks."""
        return len(self._here)

    def limit(self, *, per_address: int, in_all: int) -> None:
        """Change the limits; waits in progress continue."""
        self._addresses.places, self._in_all = per_address, in_all

    def repeats(self, ticket: TicketId, tag: str) -> bool:
        """Count that the state with this *tag* is sent to a request that would have waited for the next one.

        Return true from the ninth time on: the caller does not get its ETag back to the service, because a proxy
        removes or replaces it, and would ask again at once, thousands of times a second.
        """
        last, times = self._sent.pop(ticket, (tag, 0))
        times = times + 1 if last == tag else 1
        self._sent[ticket] = tag, times
        if len(self._sent) > _MOST_REPEATED:
            del self._sent[next(iter(self._sent))]
        return times > _REPEATS

    def stream(self, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        """Allocate a place for an event stream of *ticket*, until the context ends.

        Raises:
            RateLimited: the ticket, the address or the process has none left. Waits in progress continue.
        """
        return self._slot(self._streams, ticket, address, waiter)

    def poll(self, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        """Allocate a place for a long poll of *ticket*. Raises: as `stream`."""
        return self._slot(self._polls, ticket, address, waiter)

    def leave(self, slot: "Slot") -> None:
        """Free a place."""
        del self._here[slot.waiter.protocol]
        for counter, name in slot.counted:
            counter.leave(name)

    def connection_lost(self, connection: object) -> None:
        """Cancel the wait on a *connection* that was lost.

        Otherwise a browser that reconnects repeatedly would occupy a place for each wait until its timeout.
        """
        if slot := self._here.get(connection):
            slot.waiter.task.cancel()

    def _slot(self, tickets: Counter, ticket: TicketId, address: str | None, waiter: Waiter) -> "Slot":
        if 0 < self._in_all <= len(self._here):
            raise _refusal("waiting")
        tickets.check(ticket, times=1)
        counted = [(tickets, str(ticket))]
        for name, times in shares(address) if address else ():
            self._addresses.check(name, times=times)
            counted.append((self._addresses, name))
        for counter, name in counted:
            counter.enter(name)
        slot = self._here[waiter.protocol] = Slot(self, tuple(counted), waiter)
        return slot


@dataclass(slots=True, eq=False)
class Slot:
    """A place, occupied while the context lasts. Kept small: there are thousands at once."""

    limiter: WaitLimiter
    counted: tuple[tuple[Counter, str], ...]
    """The counters that count this slot, each with the name it counts under."""
    waiter: Waiter

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.limiter.leave(self)


def _refusal(limit: str) -> RateLimited:
    return RateLimited("too many requests are waiting; retry later", limit=limit, retry_after=AGAIN)
