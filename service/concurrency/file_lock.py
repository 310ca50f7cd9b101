"""Exclusive locks between processes, on a file or a folder (flock).

A lock belongs to the opened file: it is held until the descriptor is closed, here and in every process that
inherited it, however they end.
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
"""How a file that serves as nothing but a lock is opened; made if need be."""
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
"""How a folder is opened."""
_POLL: Final = 0.01
"""Seconds between two attempts: another process's lock has no event to wait for."""


@contextmanager
def opened(path: Path, flags: int = LOCK_FILE) -> Iterator[int]:
    """Open *path* and give its descriptor, not locked yet; closing it at the end unlocks it. Raises OSError."""
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock what *descriptor* has open, without waiting; tell whether the lock is held. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(descriptor: int, seconds: float) -> bool:
    """Wait for the lock, *seconds* at most; tell whether it is held. Raises OSError."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


async def lock_within_async(descriptor: int, seconds: float) -> bool:
    """Do as `lock_within` without blocking the event loop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not try_lock(descriptor):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(_POLL)
            return True
    return False
