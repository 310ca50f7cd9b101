"""Passes pushes on to the systems behind an account, and finds the first valid reply (docs/adr/0036)."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.events import Push
from service.concurrency.tasks import cancel_and_wait
from service.pushes.target_line import TargetLine
from service.wechat.forwarded_push import Heard
from service.wechat.relayed_reply import Relayed

MOST: Final = 512
"""Calls of targets under way in this process, waiting ones included; further pushes are not passed on."""
MOST_OF_ONE: Final = 64
"""The same of one target, so that one that hangs leaves room for the others."""
_ENDING: Final = 0.5
"""Seconds that calls get to end when the service stops."""


@dataclass(slots=True, kw_only=True)
class PushForwarding:
    """Calls the targets of each account, all at once. A call ends by itself, also when its reply came too late."""

    lines: Mapping[str, Sequence[TargetLine]]
    """By account, in the order of the configuration."""
    _calls: "set[asyncio.Task[Any]]" = field(default_factory=set, init=False)

    def wanted(self, account: str, push: Heard) -> list[TargetLine]:
        """Return the targets that get *push*, if it is not the service's own."""
        return [line for line in self.lines.get(account, ()) if line.wants(push)]

    def wanted_copies(self, account: str, push: Heard) -> list[TargetLine]:
        """Return the targets that get *push*, if it is the service's own."""
        return [line for line in self.wanted(account, push) if line.copies]

    async def first_reply(
        self, lines: Sequence[TargetLine], push: Heard, *, to: Push, until: float
    ) -> Relayed | None:
        """Pass *push* on to *lines*; return the first usable reply to *to* before the loop's time *until*.

        Calls that are slower go on, as the target may be in the middle of its work.
        """
        asked = [self._begin(line, push, to=to if line.replies else None) for line in lines]
        replying = [call for line, call in zip(lines, asked, strict=True) if call and line.replies]
        try:
            async with asyncio.timeout_at(until):
                for answered in asyncio.as_completed(replying):
                    if reply := await answered:
                        return reply
        except TimeoutError:
            pass
        return None

    def send(self, lines: Sequence[TargetLine], push: Heard) -> None:
        """Pass *push* on in the background; answers are ignored."""
        for line in lines:
            self._begin(line, push, to=None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work*, which leads to calls, until it ends or the service stops."""
        self._keep(asyncio.create_task(work))

    async def finish(self) -> None:
        """Give calls a moment to end, then cancel them."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=_ENDING)
            await cancel_and_wait(*self._calls)

    def _begin(self, line: TargetLine, push: Heard, *, to: Push | None) -> "asyncio.Task[Relayed | None] | None":
        if len(self._calls) >= MOST or len(line.calls) >= MOST_OF_ONE:
            line.drop()
            return None
        call = asyncio.create_task(line.pass_on(push, to=to))
        self._keep(call)
        line.calls.add(call)
        call.add_done_callback(line.calls.discard)
        return call

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
