"""Throws away what is over: endings and bind requests, a day after their ticket expired."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from models.errors import StoreUnavailable
from service.endings import Endings

log = logging.getLogger(__name__)
_KEPT: Final = timedelta(days=1)
_EVERY: Final = 3600.0


async def run(endings: Endings, *, clock: Callable[[], datetime]) -> None:
    """Purge every hour, until cancelled."""
    while True:
        try:
            await endings.purge(clock() - _KEPT)
        except StoreUnavailable as e:
            log.warning("old endings stay for another hour: %s", e.detail)
        await asyncio.sleep(_EVERY)
