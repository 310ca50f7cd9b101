"""Background tasks, which run beside the server and are restarted when they fail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from service.concurrency.tasks import cancel_and_wait

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]
"""Runs until it is cancelled."""
AGAIN: Final = 1.0
"""Seconds before failed work is restarted."""
Tasks = list[asyncio.Task[None]]


@asynccontextmanager
async def beside(work: Iterable[Work]) -> AsyncIterator[Tasks]:
    """Run each of *work* in a task; cancel and await the tasks at the end."""
    tasks = [asyncio.create_task(_kept_running(one)) for one in work]
    try:
        yield tasks
    finally:
        await cancel_and_wait(*tasks)


async def _kept_running(work: Work) -> None:
    """Restart *work* when it ends: one entry that it cannot process must not stop it for good."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background task %s: failed, restarting in %g s", _name(work), AGAIN)
        await asyncio.sleep(AGAIN)


def _name(work: Work) -> str:
    function = work.func if isinstance(work, partial) else work
    return f"{function.__module__}.{function.__qualname__}"
