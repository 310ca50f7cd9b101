"""Repository of bind requests, in SQL: a bind ticket survives the loss of Redis."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from models.binding import UserId
from models.tables.tickets import bind_requests, endings
from models.ticket import TicketId
from service.storage.database import Database


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
        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(bind_requests).values(asdict(request)))

        await self.database.once(work)

    async def of(self, ticket: TicketId) -> BindRequest | None:
        """Return the request of a ticket; None for a login ticket, or if it was purged."""
        async with self.database.read() as connection:
            rows = await connection.execute(sa.select(bind_requests).where(bind_requests.c.ticket == ticket))
            row = rows.mappings().one_or_none()
        return BindRequest(**row) if row else None

    async def live(self, client: str, user_id: UserId, session: str, *, now: datetime) -> list[BindRequest]:
        """Return the requests of a user's session that have neither expired nor ended, newest first."""
        query = (
            sa.select(bind_requests)
            .outerjoin(endings, endings.c.ticket == bind_requests.c.ticket)
            .where(
                bind_requests.c.client == client,
                bind_requests.c.user_id == user_id,
                bind_requests.c.session == session,
                bind_requests.c.expires_at > now,
                endings.c.ticket.is_(None),
            )
            .order_by(bind_requests.c.created_at.desc(), bind_requests.c.ticket)
        )
        async with self.database.read() as connection:
            return [BindRequest(**row) for row in (await connection.execute(query)).mappings()]
