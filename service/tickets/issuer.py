"""Use case: a ticket is given out to who asked for it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.audit import AuditEvent
from models.binding import UserId
from models.language import Lang
from models.portal import started_by_portal
from models.requester import Requester
from models.scene import Kind, bind_kind
from models.ticket import Purpose, Status, Ticket, Via
from service.audit.log import AuditLog
from service.rate_limiting.rates import RateLimits
from service.storage.redis import alone
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.factory import Issued, TicketFactory
from service.tickets.status import TicketStatus
from service.tickets.store import TicketStore

_PATIENCE: Final = 8.0
"""Seconds to wait for another request of the same user and session: as long as WeChat may take for a code."""
REUSED_WITH_LEFT: Final = timedelta(seconds=60)
"""A bind ticket is given out again only while it lives at least this long (contract.md 4)."""


@dataclass(frozen=True, slots=True)
class BindOrder:
    """A bind that a site asks for: for one of its users, in one of their sessions ('' when it names none)."""

    client: str
    user_id: UserId
    account: str | None = None
    session: str = ""
    refresh: bool = False
    lang: Lang | None = None
    requester: Requester = field(default_factory=Requester)


@dataclass(slots=True, kw_only=True)
class TicketIssuer:
    """Gives tickets out: new ones, or again the one that a session is shown already."""

    factory: TicketFactory
    redis: "Redis | RedisCluster"
    store: TicketStore
    requests: BindRequests
    ticket_status: TicketStatus
    limits: RateLimits
    audit: AuditLog
    clock: Callable[[], datetime]

    async def login(
        self, client: str, *, account: str | None, via: Via, lang: Lang | None, requester: Requester
    ) -> Issued:
        """Make a login ticket.

        Raises:
            InvalidRequest: the client does not have this account.
            RateLimited: what logins may use of WeChat's codes is used up for today.
            WeChatUnavailable: WeChat made no code.
            StoreUnavailable: Redis does not answer.
        """
        kind = Kind.LOGIN_PAGE if via is Via.PAGE else Kind.LOGIN_BACKEND
        issued = await self.factory.make(client, account=account, kind=kind, lang=lang)
        await self._begin(issued, requester, client=client)
        return issued

    async def bind(self, wanted: BindOrder) -> Issued:
        """Make a bind ticket, or give out the one this user and session are already shown.

        Raises:
            InvalidRequest: the client does not have this account.
            RateLimited: a new one is needed, and the user had too many in this minute, or WeChat's codes are
                used up for today; an earlier ticket goes on.
            WeChatUnavailable: WeChat made no code; an earlier ticket goes on.
            StoreUnavailable: Redis or the database does not answer.
        """
        wanted = replace(wanted, account=self.factory.account(wanted.client, wanted.account))
        # Two tabs that open at once are to show the same code.
        async with alone(self.redis, _lock(wanted), patience=_PATIENCE):
            now = self.clock()
            earlier = await self.requests.live(wanted.client, wanted.user_id, wanted.session, now=now)
            for request in earlier:
                if not wanted.refresh and (again := await self._reissued(request, wanted, now)):
                    return again
            await self.limits.fresh_bind(wanted.client, wanted.user_id)
            issued = await self._bind(wanted)
            for request in earlier:
                await self.ticket_status.cancel_request(request, now)
            return issued

    async def withdraw(self, client: str, user_id: UserId, session: str) -> None:
        """Cancel whatever bind tickets of this user and session can still be answered.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now = self.clock()
        for request in await self.requests.live(client, user_id, session, now=now):
            await self.ticket_status.cancel_request(request, now)

    async def _bind(self, wanted: BindOrder) -> Issued:
        issued = await self.factory.make(
            wanted.client,
            account=wanted.account,
            # The scan finds the request in SQL, and with it who started it (service/confirmation/scan_context.py).
            kind=Kind.BIND_KEPT if started_by_portal(wanted.session) else bind_kind(wanted.user_id),
            lang=wanted.lang,
            user_id=wanted.user_id,
        )
        await self.requests.save(
            BindRequest(
                ticket=issued.head.ticket,
                client=wanted.client,
                account=issued.account,
                user_id=wanted.user_id,
                session=wanted.session,
                account_name=wanted.requester.account_name,
                qr_url=issued.qr_url,
                created_at=issued.created_at,
                expires_at=issued.head.expires_at,
            )
        )
        await self._begin(issued, wanted.requester, client=wanted.client, user_id=wanted.user_id)
        return issued

    async def _begin(
        self, issued: Issued, requester: Requester, *, client: str, user_id: UserId | None = None
    ) -> None:
        head = issued.head
        # A page that starts a login has the code already, and a bind's is in SQL.
        kept = head.purpose is Purpose.LOGIN and head.via is Via.BACKEND
        ticket = Ticket(head.ticket, requester=requester, qr_url=issued.qr_url if kept else None)
        await self.store.update(ticket, lambda ticket: ticket, expires_at=head.expires_at)
        self.audit.note(
            AuditEvent.TICKET_MADE,
            client=client,
            account=issued.account,
            ticket=head.ticket,
            user_id=user_id,
            detail=head.purpose,
        )

    async def _reissued(self, request: BindRequest, wanted: BindOrder, now: datetime) -> Issued | None:
        """Return the ticket of an earlier request; None if it cannot be given out again."""
        if request.account != wanted.account or request.expires_at - now < REUSED_WITH_LEFT:
            return None
        issued = self.factory.remake(request)
        if issued is None or (await self.ticket_status.read_afresh(issued.head)).status is not Status.PENDING:
            return None
        return issued


def _lock(wanted: BindOrder) -> str:
    whose = f"{wanted.client}\0{wanted.user_id}\0{wanted.session}"
    return f"scanbind:b:{hashlib.sha256(whose.encode()).hexdigest()}"
