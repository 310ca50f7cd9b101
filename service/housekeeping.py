"""Throws away what is over, a day after: endings and bind requests with their ticket, and portal sessions."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from models.errors import StoreUnavailable

log = logging.getLogger(__name__)
_KEPT: Final = timedelta(days=1)
_EVERY: Final = 3600.0


async def run(purges: Sequence[Callable[[datetime], Awaitable[int]]], *, clock: Callable[[], datetime]) -> None:
    """Call each of *purges* every hour with the time before which things are old, until cancelled."""
    while True:
        try:
            for purge in purges:
                await purge(clock() - _KEPT)
        except StoreUnavailable as e:
            log.warning("what is old stays for another hour: %s", e.detail)
        await asyncio.sleep(_EVERY)
