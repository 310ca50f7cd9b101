"""Throws away what is over: endings, portal sessions, history and the record, each after its own time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from models.errors import StoreUnavailable

Purge = Callable[[datetime], Awaitable[int]]
"""Throws away what is older than the given time; returns how many."""

log = logging.getLogger(__name__)
_EVERY: Final = 3600.0


async def run(purges: Sequence[tuple[Purge, timedelta]], *, clock: Callable[[], datetime]) -> None:
    """Call each of *purges* every hour with the time before which its things are old, until cancelled."""
    while True:
        try:
            for purge, kept in purges:
                await purge(clock() - kept)
        except StoreUnavailable as e:
            log.warning("what is old stays for another hour: %s", e.detail)
        await asyncio.sleep(_EVERY)
