"""Writes the audit log to SQL. Entries are added and expire; nothing here changes one.

An event that SQL decides is written in the deciding transaction (`write_entries`). Other events are queued and
written within a second (`AuditLog.note`), or counted until the end of the minute (service/audit/repeats.py). These
are lost if the process is killed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.errors import StoreUnavailable
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.ticket import TicketId
from service.audit.repeats import Repeats
from service.storage.database import Database
from service.storage.inserting import AppendedRows
from service.storage.purge import purge

log = logging.getLogger(__name__)

_MOST_NOTED: Final = 10_000
"""Maximum number of queued entries. Beyond it, while the database is unreachable, the oldest are dropped."""
_BATCH: Final = 500
_GATHER: Final = 0.2
"""Seconds to collect entries, so that a busy service writes them in batches."""
_PAUSE: Final = 2.0
_INSERT: Final = sa.insert(audit)
_LONGEST_WAIT: Final = 60.0
"""Maximum wait in seconds, in case the clock is set back while a minute is counted."""


def write_entries(connection: sa.Connection, *entries: AuditEntry) -> None:
    """Add *entries* within the caller's transaction."""
    connection.execute(_INSERT, [_row(entry) for entry in entries])


def append_entry(rows: AppendedRows, entry: AuditEntry) -> None:
    """Add *entry* to the rows that the caller's transaction writes at its end."""
    rows.add(audit, _row(entry))


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in AuditEntry.__slots__}  # asdict would copy each value


@dataclass(slots=True)
class AuditLog:
    """Queues and writes audit entries. Run `run` as a background task."""

    database: Database
    _: KW_ONLY
    clock: Callable[[], datetime]
    _queue: deque[AuditEntry] = field(default_factory=lambda: deque(maxlen=_MOST_NOTED), init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _repeats: Repeats = field(default_factory=Repeats, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    lost: int = field(default=0, init=False)
    """The number of entries that were dropped unwritten."""

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
        """Queue an entry, or count it if it repeats one of the same minute. Never waits or fails."""
        short = shortened(openid) if openid else None
        entry = AuditEntry(self.clock(), event, client, account, ticket, short, user_id, detail)
        self._add(self._repeats.ended(entry.at))
        if self._repeats.first(entry):
            self._add([entry])

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
        """Queue an entry about an exceeded rate limit."""
        self.note(
            AuditEvent.LIMIT_HIT,
            client=client,
            account=account,
            openid=openid,
            user_id=user_id,
            detail=f"{limit} {address}" if address else limit,
        )

    async def run(self) -> None:
        """Write queued entries until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._until_due())
            await asyncio.sleep(_GATHER)
            self._add(self._repeats.ended(self.clock()))
            self._wake.clear()
            try:
                await self.flush()
            except StoreUnavailable as e:
                log.warning("audit log: cannot write entries, retrying in %g s: %s", _PAUSE, e)
                self._wake.set()
                await asyncio.sleep(_PAUSE)

    async def finish(self) -> None:
        """Write all queued entries and the counts of the current minute.

        Raises: as `flush`.
        """
        self._add(self._repeats.rest())
        await self.flush()

    async def flush(self) -> None:
        """Write all queued entries.

        Raises:
            StoreUnavailable: the database does not answer; unwritten entries stay queued.
        """
        async with self._flushing:  # concurrent calls would write the same entries
            await self._flush()

    def _add(self, entries: Sequence[AuditEntry]) -> None:
        for entry in entries:
            self.lost += len(self._queue) == _MOST_NOTED
            self._queue.append(entry)
            self._wake.set()

    def _until_due(self) -> float | None:
        """Return the seconds until the counts are due to be written; None if nothing is counted."""
        due = self._repeats.due
        return min(max((due - self.clock()).total_seconds(), 0.0), _LONGEST_WAIT) if due else None

    async def _flush(self) -> None:
        while batch := list(islice(self._queue, _BATCH)):
            lost_before = self.lost

            def work(connection: sa.Connection, batch: Sequence[AuditEntry] = batch) -> None:
                write_entries(connection, *batch)

            await self.database.once(work)
            for _ in range(len(batch) - (self.lost - lost_before)):  # those dropped meanwhile were of this batch
                self._queue.popleft()

    async def purge(self, before: datetime) -> int:
        """Delete entries older than *before*; return how many."""
        return await purge(self.database, audit.c.id, before, when=audit.c.at)

    async def key_in_use(self, name: str, fingerprint: str) -> None:
        """Add an entry unless the last one about key *name* has the same *fingerprint*.

        It is KEY_ROTATED if there was one, and KEY_IN_USE if the log contains no earlier key.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        used = f"{name} {fingerprint}"
        about_key = sa.and_(
            audit.c.event.in_([AuditEvent.KEY_IN_USE, AuditEvent.KEY_ROTATED]),
            audit.c.detail.startswith(f"{name} ", autoescape=True),
        )
        last = sa.select(audit.c.detail).where(about_key).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(1)

        def work(connection: sa.Connection) -> None:
            if (before := connection.scalar(last)) != used:
                event = AuditEvent.KEY_ROTATED if before else AuditEvent.KEY_IN_USE
                write_entries(connection, AuditEntry(self.clock(), event, detail=used))

        await self.database.attempt(work)
