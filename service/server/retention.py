"""Deletes rows past their retention: endings, portal sessions, history, audit entries."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from models.errors import StoreUnavailable

Purge = Callable[[datetime], Awaitable[int]]
"""Deletes the rows older than the given time; returns how many."""

log = logging.getLogger(__name__)
_EVERY: Final = 3600.0


async def run(purges: Sequence[tuple[Purge, timedelta]], *, clock: Callable[[], datetime]) -> None:
    """Every hour, call each of *purges* with the time before which its rows are old, until cancelled."""
    while True:
        try:
            for purge, kept in purges:
                await purge(clock() - kept)
        except StoreUnavailable as e:
            log.warning("retention: cannot delete old rows, retrying in an hour: %s", e)
        await asyncio.sleep(_EVERY)
