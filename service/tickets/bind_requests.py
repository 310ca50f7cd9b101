"""The bind tickets a site asked for, in SQL: what a lost Redis must not take along."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.binding import UserId
from models.tables.tickets import bind_requests, endings
from models.ticket import TicketId
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class BindRequest:
    """One bind ticket as it was asked for; times are kept to the millisecond."""

    ticket: TicketId
    client: str
    account: str
    user_id: UserId
    session: str
    """The site's own name for the visitor's session; empty for none."""
    account_name: str | None
    qr_url: str
    """What the code shows (wechat-protocol.md 2)."""
    created_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class BindRequests:
    database: Database

    async def save(self, request: BindRequest) -> None:
        """Keep a new request."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(bind_requests).values(asdict(request)))

        await self.database.once(work)

    async def of(self, ticket: TicketId) -> BindRequest | None:
        """Return what a ticket was asked for; None if it is no bind ticket or was purged."""
        async with self.database.read() as connection:
            rows = await connection.execute(sa.select(bind_requests).where(bind_requests.c.ticket == ticket))
            row = rows.mappings().one_or_none()
        return BindRequest(**row) if row else None

    async def live(self, client: str, user_id: UserId, session: str, *, now: datetime) -> list[BindRequest]:
        """Return the requests of a user's session that may still be answered, newest first."""
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
