"""Repository of bind requests, in SQL: a bind ticket survives the loss of Redis."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from models.binding import UserId
from models.tables.tickets import bind_requests, endings
from models.ticket import TicketId
from service.storage.database import Database
from service.storage.inserting import insert_unless_taken

_OF: Final = sa.select(bind_requests).where(bind_requests.c.ticket == sa.bindparam("ticket"))
_BEGINNING: Final = sa.select(bind_requests).where(
    bind_requests.c.ticket > sa.bindparam("first"), bind_requests.c.ticket < sa.bindparam("last")
)
_AFTER_ALL: Final = "~"
"""Is compared as greater than each character of a ticket."""
_LIVE: Final = (
    sa.select(bind_requests)
    .outerjoin(endings, endings.c.ticket == bind_requests.c.ticket)
    .where(
        bind_requests.c.client == sa.bindparam("client"),
        bind_requests.c.user_id == sa.bindparam("user_id"),
        bind_requests.c.session == sa.bindparam("session"),
        bind_requests.c.expires_at > sa.bindparam("now"),
        endings.c.ticket.is_(None),
    )
    .order_by(bind_requests.c.created_at.desc(), bind_requests.c.ticket)
)


@dataclass(frozen=True, slots=True)
class BindRequest:
    """A bind ticket as its site requested it; times have millisecond precision."""

    ticket: TicketId
    client: str
    account: str
    user_id: UserId
    session: str
    """The site's own id of the visitor's session; empty if it gave none."""
    account_name: str | None
    qr_url: str
    """Content of the QR code (wechat-protocol.md 2)."""
    created_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class BindRequests:
    database: Database

    async def save(self, request: BindRequest) -> None:
        """Store the request of a new ticket.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        row = {name: getattr(request, name) for name in BindRequest.__slots__}  # asdict would copy each value
        # Run again after a lost answer, it finds the row that it inserted: no other ticket is the same.
        await self.database.attempt(
            lambda connection: insert_unless_taken(connection, bind_requests, row), single=True
        )

    async def of(self, ticket: TicketId) -> BindRequest | None:
        """Return the request of a ticket; None for a login ticket, or if it was purged."""
        found = await self.database.read(lambda connection: _found(connection, _OF, ticket=ticket))
        return found[0] if found else None

    async def beginning(self, body: str) -> list[BindRequest]:
        """Return the requests whose tickets begin with *body*: one, or by a rare chance more."""
        between = {"first": body, "last": body + _AFTER_ALL}
        return await self.database.read(lambda connection: _found(connection, _BEGINNING, **between))

    async def live(self, client: str, user_id: UserId, session: str, *, now: datetime) -> list[BindRequest]:
        """Return the requests of a user's session that have neither expired nor ended, newest first."""
        whose = {"client": client, "user_id": user_id, "session": session, "now": now}
        return await self.database.read(lambda connection: _found(connection, _LIVE, **whose))


def _found(connection: sa.Connection, query: sa.Select[Any], **values: object) -> list[BindRequest]:
    return [BindRequest(**row) for row in connection.execute(query, values).mappings()]
