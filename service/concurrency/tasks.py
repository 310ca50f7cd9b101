"""The end of asyncio tasks that go on until they are cancelled."""

import asyncio
from typing import Any, Final

_INSIST: Final = 0.2
"""Seconds between two cancellations of the same task."""


async def cancel_and_wait(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel *tasks* again and again until all have ended; what they return or raise is left in them.

    A library that is just connecting may swallow one cancellation. A task that swallows every one is waited for
    until this coroutine is itself cancelled, so a caller with a deadline puts it around this.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_INSIST)
