"""Exclusive locks between processes, on a file or a folder (flock).

A lock belongs to the open file: it lasts until the descriptor is closed in this process and in all that inherited
it, however they end.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK_FILE: Final = os.O_RDWR | os.O_CREAT
"""The flags to open a lock file, which is created if need be."""
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
"""The flags to open a folder."""
_POLL: Final = 0.01
"""Seconds between two attempts: there is no event for the release of a lock."""


@contextmanager
def opened(path: Path, flags: int = LOCK_FILE) -> Iterator[int]:
    """Open *path* and yield its descriptor, not locked. Closing it at the end unlocks it. Raises OSError."""
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Try to lock *descriptor* without waiting; return whether it is locked. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(descriptor: int, seconds: float) -> bool:
    """Lock *descriptor*, waiting at most *seconds*; return whether it is locked. Raises OSError."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


async def lock_within_async(descriptor: int, seconds: float) -> bool:
    """Like `lock_within`, without blocking the event loop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not try_lock(descriptor):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(_POLL)
            return True
    return False
