"""The deadline of a stop: each step has a share of the time, and a step that exceeds it is cancelled and logged.

contract.md 7 allows ten seconds from SIGTERM to the exit. Later steps may use the time that earlier ones save.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import Any, Final, TypeVar

from aiohttp import web

log = logging.getLogger(__name__)

T = TypeVar("T")


class Step(StrEnum):
    """The steps of a stop, in this order; the values appear in the log."""

    REQUESTS = "open requests"
    PUSHES = "pushes that took too long to be answered"
    BACKGROUND = "background tasks"
    DELIVERIES = "deliveries of events"
    WECHAT = "connections to WeChat"
    FEED = "the feed of tickets"
    AUDIT = "the last entries of the audit log"
    DATABASE = "connections to the database"
    REDIS = "connections to Redis"
    VALKEY = "the embedded Valkey"


_SHARES: Final = {
    Step.REQUESTS: (6.0, 5.0),  # after a second of draining; contract.md 6 allows an answer 4.5
    Step.PUSHES: (6.3, 1.0),
    Step.BACKGROUND: (6.5, 1.0),
    Step.DELIVERIES: (7.2, 1.0),
    Step.WECHAT: (7.4, 1.0),
    Step.FEED: (7.5, 1.0),
    Step.AUDIT: (7.7, 5.0),
    Step.DATABASE: (8.2, 1.0),
    Step.REDIS: (8.5, 1.0),
    Step.VALKEY: (9.0, 4.0),
}
"""For each step, the seconds after the stop began by which it must be over, and the most seconds it may take.

Connections close in milliseconds if the peer answers; after a second it will not.
"""
_LET_GO: Final = 0.1
"""Seconds for a cancelled step to release its resources."""


class Stop:
    """Limits the time of each step of one stop, which begins with `begin` or with the first step."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._dropped: set[asyncio.Task[Any]] = set()  # asyncio keeps only weak references to tasks

    @property
    def began(self) -> bool:
        """Tell whether the stop has begun."""
        return self._began is not None

    def begin(self) -> float:
        """Start the clock, unless it was started; return when it was started, in the loop's time."""
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        return self._began

    async def end(self, step: Step, ending: Coroutine[Any, Any, Any]) -> None:
        """Await *ending* for the share of *step*, then cancel it and continue without it.

        A cancelled step is awaited only briefly: a library may take seconds to react.
        """
        over_by, longest = _SHARES[step]
        left = self.begin() + over_by - asyncio.get_running_loop().time()
        task = asyncio.create_task(ending)
        try:
            await asyncio.wait({task}, timeout=max(min(left, longest), 0.0))
        finally:
            if not task.done():
                log.error("stop: abandoned because it did not end in time: %s", step)
                self._dropped.add(task)
                task.cancel()
        if task in self._dropped:
            task.add_done_callback(_result_unused)
            await asyncio.wait({task}, timeout=_LET_GO)
        else:
            task.result()

    @asynccontextmanager
    async def ends(self, step: Step, context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """Enter *context*; leave it within the share of *step*."""
        value = await context.__aenter__()
        try:
            yield value
        finally:
            await self.end(step, _exit_context(context))


STOP: Final = web.AppKey("stop", Stop)


async def _exit_context(context: AbstractAsyncContextManager[Any]) -> None:
    await context.__aexit__(None, None, None)


def _result_unused(task: "asyncio.Task[Any]") -> None:
    """Retrieve the exception of a dropped task, so that asyncio does not log it as never retrieved."""
    if not task.cancelled():
        task.exception()
