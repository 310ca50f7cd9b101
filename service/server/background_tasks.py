"""Work that goes on beside the server for as long as it runs, whatever goes wrong with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from service.concurrency.tasks import cancel_and_wait

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]
"""Goes on until it is cancelled."""
AGAIN: Final = 1.0
"""Seconds before work that failed begins again."""


@asynccontextmanager
async def beside(work: Iterable[Work]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run *work* beside the server; end and await all of it at the end."""
    tasks = [asyncio.create_task(_kept_running(one)) for one in work]
    try:
        yield tasks
    finally:
        await cancel_and_wait(*tasks)


async def _kept_running(work: Work) -> None:
    """Begin again whenever *work* ends: one record that it cannot digest must not end it for everybody."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work has failed; it begins again")
        await asyncio.sleep(AGAIN)
