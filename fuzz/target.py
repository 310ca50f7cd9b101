"""What a door of the service is to be held to, and one run of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fuzz.case import Case
from fuzz.config import SECRETS
from fuzz.fixtures import Props
from fuzz.log_checks import Journal
from fuzz.response_checks import Answer, Fault, check
from fuzz.store_monitor import UNKNOWN

if TYPE_CHECKING:
    from fuzz.service import Service

_QUIET: Final = 0.5
"""Seconds in which what goes on beside requests comes to an end."""
_OPENED: Final = 303
"""What a portal's link answers, which is used up by going there."""


@dataclass(frozen=True, slots=True)
class Run:
    """One case and what came of it: as it was named, as it was filled in, and what was written meanwhile."""

    named: Case
    filled: Case
    answer: Answer
    moved: Mapping[str, int]
    props: Props


@dataclass(frozen=True, slots=True)
class Door:
    """What is particular to a door; `check` raises Fault for a run that must not be."""

    name: str
    statuses: AbstractSet[int]
    check: Callable[[Run], Awaitable[None]]
    prepare: Callable[[Case], Case] = lambda case: case


@dataclass(frozen=True, slots=True)
class Trial:
    """A door, open to be tried."""

    door: Door
    service: "Service"
    props: Props
    journal: Journal

    async def run(self, data: bytes) -> Answer:
        """Send one case and return the answer. Raises Fault for whatever must never be."""
        named = Case.read(data)
        filled = named.filled(self.props.values)
        request = self.door.prepare(filled).wire()
        answer = await self.service.ask(request)
        check(answer, statuses=self.door.statuses, secrets=SECRETS)
        self.journal.check()
        moved = self.service.watch.moved()
        only_read = named.reads and answer.status != _OPENED
        if moved and (only_read or answer.status >= 400):
            if moved.keys() != {UNKNOWN} or await self._writes_again(request):
                raise Fault(f"{dict(moved)} was written by a request that only reads, or was refused")
            moved = {}
        await self.door.check(Run(named, filled, answer, moved, self.props))
        if moved:
            await self.props.renew(named.names())
            self.service.watch.moved()  # that was us
        return answer

    async def _writes_again(self, request: bytes) -> bool:
        """Tell whether it was *request* that changed a row, and not what goes on beside it."""
        await asyncio.sleep(_QUIET)
        self.service.watch.moved()
        await self.service.ask(request)
        return bool(self.service.watch.moved())
