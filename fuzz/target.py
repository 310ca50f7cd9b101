"""A fuzzing target, and the checks of each run."""

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
"""Seconds until background writes are done."""
_OPENED: Final = 303
"""The status of opening a portal link, a GET that uses it up."""


@dataclass(frozen=True, slots=True)
class Run:
    """One case with names and with values, its response, and what it wrote."""

    named: Case
    filled: Case
    answer: Answer
    moved: Mapping[str, int]
    props: Props


@dataclass(frozen=True, slots=True)
class Target:
    """The endpoints of one kind of client, with their allowed statuses; `check` raises Fault."""

    name: str
    statuses: AbstractSet[int]
    check: Callable[[Run], Awaitable[None]]
    prepare: Callable[[Case], Case] = lambda case: case


@dataclass(frozen=True, slots=True)
class Trial:
    """A target with a running service."""

    target: Target
    service: "Service"
    props: Props
    journal: Journal

    async def run(self, data: bytes) -> Answer:
        """Send one case and return the response. Raises Fault when a check fails."""
        named = Case.read(data)
        filled = named.filled(self.props.values)
        request = self.target.prepare(filled).wire()
        answer = await self.service.ask(request)
        check(answer, statuses=self.target.statuses, secrets=SECRETS)
        self.journal.check()
        moved = self.service.watch.moved()
        only_read = named.reads and answer.status != _OPENED
        if moved and (only_read or answer.status >= 400):
            if moved.keys() != {UNKNOWN} or await self._writes_again(request):
                raise Fault(f"{dict(moved)} was written by a request that only reads, or was refused")
            moved = {}
        await self.target.check(Run(named, filled, answer, moved, self.props))
        if moved:
            await self.props.renew(named.names())
            self.service.watch.moved()  # discards the writes of renew()
        return answer

    async def _writes_again(self, request: bytes) -> bool:
        """Return whether *request* changes a row, and not a background task."""
        await asyncio.sleep(_QUIET)
        self.service.watch.moved()
        await self.service.ask(request)
        return bool(self.service.watch.moved())
