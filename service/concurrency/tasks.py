"""Cancellation of asyncio tasks."""

import asyncio
from typing import Any, Final

_INSIST: Final = 0.2
"""Seconds between two cancellations of the same task."""


async def cancel_and_wait(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel *tasks* repeatedly until all have ended. Their results and exceptions are not retrieved.

    A library may swallow a cancellation while it connects. There is no timeout: a caller with a deadline cancels
    this coroutine.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_INSIST)
