"""Shows in Redis how tickets ended in SQL. The ending decides; Redis only tells the browsers sooner.

Whenever Redis may have missed one (it failed, or was away and came back), every ending that can still be read
is shown again.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.errors import StoreUnavailable
from models.ticket import Ending, Ticket, settle
from service.tickets.endings import Endings
from service.tickets.store import TicketStore

log = logging.getLogger(__name__)
_PAUSE: Final = 2.0


@dataclass(slots=True, kw_only=True)
class Projection:
    """Endings on their way from SQL to Redis. Run `run` beside the server; *missed* says Redis may lack some."""

    store: TicketStore
    endings: Endings
    missed: asyncio.Event
    clock: Callable[[], datetime]

    async def show(self, ending: Ending) -> None:
        """Show one ending; if Redis fails, it is shown later: SQL has it."""
        try:
            await self._show(ending)
        except StoreUnavailable as e:
            log.warning("an ending waits to be shown: %s", e.detail)
            self.missed.set()

    async def run(self) -> None:
        """Show again whatever was missed, until cancelled."""
        while True:
            await self.missed.wait()
            self.missed.clear()
            try:
                await self._show_all()
            except StoreUnavailable as e:
                log.warning("endings wait to be shown: %s", e.detail)
                self.missed.set()
                await asyncio.sleep(_PAUSE)

    async def _show_all(self) -> None:
        after = ""
        while page := await self.endings.unexpired(self.clock(), after=after):
            for ending in page:
                await self._show(ending)
            after = page[-1].ticket

    async def _show(self, ending: Ending) -> None:
        await self.store.update(
            Ticket(ending.ticket),
            lambda ticket: settle(ticket, ending, now=ending.answered_at),
            expires_at=ending.expires_at,
        )
