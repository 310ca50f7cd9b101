"""Work that goes on beside the server for as long as it runs, whatever goes wrong with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]
"""Goes on until it is cancelled."""
AGAIN: Final = 1.0
"""Seconds before work that failed begins again."""
_INSIST: Final = 0.2
"""Seconds between two cancellations of the same task."""


@asynccontextmanager
async def beside(work: Iterable[Work]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run *work* beside the server; end and await all of it at the end."""
    tasks = [asyncio.create_task(_kept_running(one)) for one in work]
    try:
        yield tasks
    finally:
        await _end(tasks)


async def _kept_running(work: Work) -> None:
    """Begin again whenever *work* ends: one record that it cannot digest must not end it for everybody."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work has failed; it begins again")
        await asyncio.sleep(AGAIN)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library that is just connecting may swallow one cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_INSIST)
