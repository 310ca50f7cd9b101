"""The record of what matters to security, in SQL. Lines are added, and go with age; nothing here changes one.

What SQL decides is recorded in the transaction that decides it (`write_entries`). The rest is noted without
waiting and written within a second (`AuditLog.note`), or counted until the minute is over
(service/audit/repeats.py); a process that is killed can lose that.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.audit import AuditEntry, AuditEvent
from models.errors import StoreUnavailable
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.ticket import TicketId
from service.audit.repeats import Repeats
from service.storage.database import Database
from service.storage.purge import purge

log = logging.getLogger(__name__)

_MOST_NOTED: Final = 10_000
"""Lines that wait for a database that is away; then the oldest go."""
_BATCH: Final = 500
_GATHER: Final = 0.2
"""Seconds in which lines gather, so that a busy service writes them together."""
_PAUSE: Final = 2.0
_LONGEST_WAIT: Final = 60.0
"""Seconds, should the clock be set back while a minute is counted."""


async def write_entries(connection: AsyncConnection, *lines: AuditEntry) -> None:
    """Add lines within the caller's transaction."""
    await connection.execute(sa.insert(audit), [asdict(line) for line in lines])


@dataclass(slots=True)
class AuditLog:
    """The record, as the use cases add to it and the operator reads it. Run `run` beside the server."""

    database: Database
    _: KW_ONLY
    clock: Callable[[], datetime]
    _noted: deque[AuditEntry] = field(default_factory=lambda: deque(maxlen=_MOST_NOTED), init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _repeats: Repeats = field(default_factory=Repeats, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    lost: int = field(default=0, init=False)
    """Lines that had to go unwritten."""

    def note(
        self,
        event: AuditEvent,
        *,
        client: str | None = None,
        account: str | None = None,
        ticket: TicketId | None = None,
        openid: OpenId | None = None,
        user_id: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Take a line to be written soon, or counted if it is one of many; never waits, never fails."""
        short = shortened(openid) if openid else None
        line = AuditEntry(self.clock(), event, client, account, ticket, short, user_id, detail)
        self._take(self._repeats.ended(line.at))
        if self._repeats.first(line):
            self._take([line])

    def limit_hit(
        self,
        limit: str,
        *,
        address: str | None = None,
        client: str | None = None,
        account: str | None = None,
        openid: OpenId | None = None,
        user_id: str | None = None,
    ) -> None:
        """Note that a caller or person exceeded *limit*."""
        self.note(
            AuditEvent.LIMIT_HIT,
            client=client,
            account=account,
            openid=openid,
            user_id=user_id,
            detail=f"{limit} {address}" if address else limit,
        )

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._left())
            await asyncio.sleep(_GATHER)
            self._take(self._repeats.ended(self.clock()))
            self._news.clear()
            try:
                await self.flush()
            except StoreUnavailable as e:
                log.warning("the record waits to be written: %s", e.detail)
                self._news.set()
                await asyncio.sleep(_PAUSE)

    async def finish(self) -> None:
        """Write whatever was noted, and what was counted in the minute that is not over yet.

        Raises: as `flush`.
        """
        self._take(self._repeats.rest())
        await self.flush()

    async def flush(self) -> None:
        """Write whatever was noted.

        Raises:
            StoreUnavailable: the database does not answer; what is not written yet is kept.
        """
        async with self._flushing:  # two at once would write the same lines
            await self._flush()

    def _take(self, lines: Sequence[AuditEntry]) -> None:
        for line in lines:
            self.lost += len(self._noted) == _MOST_NOTED
            self._noted.append(line)
            self._news.set()

    def _left(self) -> float | None:
        """Return the seconds until what is counted can be written; None if nothing is counted."""
        due = self._repeats.due
        return min(max((due - self.clock()).total_seconds(), 0.0), _LONGEST_WAIT) if due else None

    async def _flush(self) -> None:
        while batch := list(islice(self._noted, _BATCH)):
            gone = self.lost

            async def work(connection: AsyncConnection, batch: Sequence[AuditEntry] = batch) -> None:
                await write_entries(connection, *batch)

            await self.database.once(work)
            for _ in range(len(batch) - (self.lost - gone)):  # what was dropped meanwhile was the oldest
                self._noted.popleft()

    async def purge(self, before: datetime) -> int:
        """Delete lines from before; return how many."""
        return await purge(self.database, audit.c.id, before, when=audit.c.at)

    async def key_in_use(self, name: str, fingerprint: str) -> None:
        """Record that key *name* is another than the last time, or the first; *fingerprint* tells keys apart.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        used = f"{name} {fingerprint}"
        rotations = sa.and_(
            audit.c.event == AuditEvent.KEY_ROTATED, audit.c.detail.startswith(f"{name} ", autoescape=True)
        )
        last = sa.select(audit.c.detail).where(rotations).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(1)

        async def work(connection: AsyncConnection) -> None:
            if await connection.scalar(last) != used:
                await write_entries(connection, AuditEntry(self.clock(), AuditEvent.KEY_ROTATED, detail=used))

        await self.database.attempt(work)
