"""The record of what matters to security, in SQL. Lines are added, and go with age; nothing here changes one.

What SQL decides is recorded in the transaction that decides it (`write`). The rest is noted without waiting and
written within a second (`Audit.note`); a process that is killed can lose that second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.audit import Happening, Line
from models.errors import StoreUnavailable
from models.event import OpenId, shortened
from models.tables import audit
from models.ticket import TicketId
from service.database import Database
from service.purging import purge

log = logging.getLogger(__name__)

_MOST_NOTED: Final = 10_000
"""Lines that wait for a database that is away; then the oldest go."""
_BATCH: Final = 500
_GATHER: Final = 0.2
"""Seconds in which lines gather, so that a busy service writes them together."""
_PAUSE: Final = 2.0
_MINUTE: Final = 60
_MOST_HITS: Final = 100
"""Limits hit in one minute that get a line each; whoever floods us is not to flood the record."""


async def write(connection: AsyncConnection, *lines: Line) -> None:
    """Add lines within the caller's transaction."""
    await connection.execute(sa.insert(audit), [asdict(line) for line in lines])


class Audit:
    """The record, as the use cases add to it and the operator reads it. Run `run` beside the server."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._noted: deque[Line] = deque(maxlen=_MOST_NOTED)
        self._news = asyncio.Event()
        self._minute, self._hits = 0, set[tuple[str | None, ...]]()
        self._flushing = asyncio.Lock()
        self.lost = 0
        """Lines that had to go unwritten."""

    def note(
        self,
        event: Happening,
        *,
        client: str | None = None,
        account: str | None = None,
        ticket: TicketId | None = None,
        openid: OpenId | None = None,
        user_id: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Take a line to be written soon; never waits, never fails."""
        self.lost += len(self._noted) == _MOST_NOTED
        short = shortened(openid) if openid else None
        self._noted.append(Line(self._clock(), event, client, account, ticket, short, user_id, detail))
        self._news.set()

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
        """Note that somebody did too much of something, once a minute for each of them."""
        minute = int(self._clock().timestamp()) // _MINUTE
        if self._minute != minute:
            self._minute, self._hits = minute, set()
        whose = (limit, address, client, account, openid, user_id)
        if whose not in self._hits and len(self._hits) < _MOST_HITS:
            self._hits.add(whose)
            detail = f"{limit} {address}" if address else limit
            self.note(
                Happening.LIMIT_HIT,
                client=client,
                account=account,
                openid=openid,
                user_id=user_id,
                detail=detail,
            )

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER)
            self._news.clear()
            try:
                await self.flush()
            except StoreUnavailable as e:
                log.warning("the record waits to be written: %s", e.detail)
                self._news.set()
                await asyncio.sleep(_PAUSE)

    async def flush(self) -> None:
        """Write whatever was noted.

        Raises:
            StoreUnavailable: the database does not answer; what is not written yet is kept.
        """
        async with self._flushing:  # two at once would write the same lines
            await self._flush()

    async def _flush(self) -> None:
        while batch := list(islice(self._noted, _BATCH)):
            gone = self.lost

            async def work(connection: AsyncConnection, batch: Sequence[Line] = batch) -> None:
                await write(connection, *batch)

            await self._database.once(work)
            for _ in range(len(batch) - (self.lost - gone)):  # what was dropped meanwhile was the oldest
                self._noted.popleft()

    async def purge(self, before: datetime) -> int:
        """Delete lines from before; return how many, 100,000 at most."""
        return await purge(self._database, audit.c.id, before, when=audit.c.at)

    async def key_in_use(self, name: str, fingerprint: str) -> None:
        """Record that key *name* is another than the last time, or the first; *fingerprint* tells keys apart.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        used = f"{name} {fingerprint}"
        rotations = sa.and_(
            audit.c.event == Happening.KEY_ROTATED, audit.c.detail.startswith(f"{name} ", autoescape=True)
        )
        last = sa.select(audit.c.detail).where(rotations).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(1)

        async def work(connection: AsyncConnection) -> None:
            if await connection.scalar(last) != used:
                await write(connection, Line(self._clock(), Happening.KEY_ROTATED, detail=used))

        await self._database.attempt(work)
