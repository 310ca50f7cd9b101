"""Copies endings from SQL to Redis, so that browsers get them at once. SQL stays authoritative.

Whenever Redis may lack an ending (a write failed, or the connection was lost), all endings that are still
readable are copied again.
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
    """Copies endings to Redis. Run `run` beside the server; *missed* is set when Redis may lack some."""

    store: TicketStore
    endings: Endings
    missed: asyncio.Event
    clock: Callable[[], datetime]

    async def show(self, ending: Ending, *, known: Ticket | None = None) -> None:
        """Copy one ending to Redis; if that fails, `run` copies it later from SQL.

        *known* is the ticket as it was read before, which saves reading it again.
        """
        try:
            await self._show(ending, known)
        except StoreUnavailable as e:
            log.warning("ticket results: cannot copy one to Redis, retrying: %s", e)
            self.missed.set()

    async def run(self) -> None:
        """Copy missed endings until cancelled."""
        while True:
            await self.missed.wait()
            self.missed.clear()
            try:
                await self._show_all()
            except StoreUnavailable as e:
                log.warning("ticket results: cannot copy them to Redis, retrying in %g s: %s", _PAUSE, e)
                self.missed.set()
                await asyncio.sleep(_PAUSE)

    async def _show_all(self) -> None:
        after = ""
        while page := await self.endings.unexpired(self.clock(), after=after):
            for ending in page:
                await self._show(ending)
            after = page[-1].ticket

    async def _show(self, ending: Ending, known: Ticket | None = None) -> None:
        await self.store.update(
            Ticket(ending.ticket),
            lambda ticket: settle(ticket, ending, now=ending.answered_at),
            expires_at=ending.expires_at,
            expected=known,
            decided=True,
        )
