"""Repository of endings, in SQL: one row per ended ticket. The first insert decides how the ticket ended."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.audit import AuditEntry, AuditEvent
from models.binding import UserId
from models.errors import StoreUnavailable
from models.events import shortened
from models.tables.columns import to_millisecond
from models.tables.identities import followers
from models.tables.tickets import bind_requests, endings
from models.ticket import READABLE_AFTER, Ending, Outcome, Status, TicketId
from service.audit.log import append_entry
from service.identities.repository import NAMES, Identities, Identity
from service.storage.database import Database
from service.storage.inserting import AppendedRows
from service.storage.purge import purge

_WITH_CODE: Final = (Outcome.LOGIN, Outcome.REGISTER)
_KEPT: Final = [name for name in Ending.__slots__ if name != "openid"]


@dataclass(frozen=True, slots=True)
class StoredEnding:
    """An ending and the person who answered; None if there is none or they were erased."""

    ending: Ending
    person: Identity | None


@dataclass(slots=True)
class Endings:
    """Reads, updates and purges endings; `append_ending` adds them."""

    database: Database
    identities: Identities

    async def of(self, ticket: TicketId) -> Ending | None:
        """Return how a ticket ended; None if it has not, or was purged."""
        found = await self.with_person(ticket)
        return found.ending if found else None

    async def with_person(self, ticket: TicketId) -> StoredEnding | None:
        """Return how a ticket ended and who answered; None if it has not ended, or was purged."""
        return await self.database.read(lambda connection: self.find(connection, ticket))

    async def unexpired(self, now: datetime, *, after: str = "", limit: int = 500) -> list[Ending]:
        """Return a page of the endings that are still readable (contract.md 4), ordered by ticket.

        *after* is the last ticket of the previous page. An ending whose person cannot be decrypted is returned
        without an openid.
        """
        query = (
            _query()
            .where(endings.c.expires_at > now - READABLE_AFTER, endings.c.ticket > after)
            .order_by(endings.c.ticket)
            .limit(limit)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [self._read_anonymous_if_broken(row) for row in rows]

    async def purge(self, before: datetime) -> int:
        """Delete endings and bind requests that expired before *before*; return how many."""
        return sum(
            [
                await purge(self.database, table.c.ticket, before, when=table.c.expires_at)
                for table in (endings, bind_requests)
            ]
        )

    def find(self, connection: sa.Connection, ticket: TicketId, *, hold: bool = False) -> StoredEnding | None:
        """Return how a ticket ended, within the caller's transaction; *hold* locks the row until it ends."""
        query = _query().where(endings.c.ticket == ticket)
        found = connection.execute(query.with_for_update(of=endings) if hold else query)
        row = found.mappings().one_or_none()
        return self._read(row) if row else None

    def use_code(
        self, connection: sa.Connection, ticket: TicketId, *, answered_after: datetime, now: datetime
    ) -> StoredEnding | None:
        """Mark a ticket's code as used, within the caller's transaction; return the updated ending.

        None if it has no code, the code was used, it was confirmed too long ago, or the person was erased.
        """
        unused = sa.and_(
            endings.c.ticket == ticket,
            endings.c.status == Status.CONFIRMED,
            endings.c.outcome.in_(_WITH_CODE),
            endings.c.follower_id.is_not(None),  # null once erased
            endings.c.code_used_at.is_(None),
            endings.c.answered_at > answered_after,
        )
        used = connection.execute(sa.update(endings).where(unused).values(code_used_at=now))
        return self.find(connection, ticket) if used.rowcount else None

    def _read(self, row: RowMapping) -> StoredEnding:
        person = self.identities.read(row)
        return StoredEnding(_ending(row, person), person)

    def _read_anonymous_if_broken(self, row: RowMapping) -> Ending:
        try:
            return self._read(row).ending
        except StoreUnavailable:
            return _ending(row, None)  # one row that cannot be decrypted must not hold back the others


def use_registration(connection: sa.Connection, ticket: TicketId, user_id: UserId) -> None:
    """Note, within the caller's transaction, the user that a registration was used for."""
    connection.execute(sa.update(endings).where(endings.c.ticket == ticket).values(registered_to=user_id))


def append_ending(rows: AppendedRows, ending: Ending, person: Identity | None) -> Ending:
    """Add an ending to the rows of the caller's transaction; return it with the precision of the database.

    To write the rows raises IntegrityError when the ticket has ended already.
    """
    kept = replace(
        ending,
        openid=person.openid if person else None,
        answered_at=to_millisecond(ending.answered_at),
        expires_at=to_millisecond(ending.expires_at),
    )
    row = {name: getattr(kept, name) for name in _KEPT} | {"follower_id": person.id if person else None}
    rows.add(endings, row)
    append_entry(rows, audit_entry(kept))
    return kept


def audit_entry(ending: Ending) -> AuditEntry:
    cancelled = ending.status is Status.CANCELLED
    return AuditEntry(
        ending.answered_at,
        AuditEvent.CANCELLED if cancelled else AuditEvent.ANSWERED,
        ending.client,
        ending.account,
        ending.ticket,
        openid=ending.openid and shortened(ending.openid),
        user_id=ending.user_id,
        detail=ending.outcome or ending.reason,
    )


def _ending(row: RowMapping, person: Identity | None) -> Ending:
    return Ending(**{name: row[endings.c[name]] for name in _KEPT}, openid=person.openid if person else None)


def _query() -> sa.Select[Any]:
    columns = [endings.c[name] for name in _KEPT]
    return sa.select(*columns, *NAMES).outerjoin_from(endings, followers, followers.c.id == endings.c.follower_id)
