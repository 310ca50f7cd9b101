"""Use case: issue a ticket, or return a bind ticket that was issued before."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.audit import AuditEvent
from models.binding import UserId
from models.errors import InvalidRequest, RateLimited, WeChatUnavailable
from models.language import Lang
from models.method import REDIRECTS, Method
from models.portal import started_by_portal
from models.requester import Requester
from models.scene import Kind, TicketHeader, bind_kind
from models.ticket import Purpose, Status, Ticket, Via
from models.web_authorization import ReturnTo
from service.audit.log import AuditLog
from service.crypto.keyring import ClientKeys
from service.observability.metrics import Metrics
from service.rate_limiting.rates import RateLimits
from service.storage.redis import alone
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.factory import Issued, TicketFactory
from service.tickets.method import Shown
from service.tickets.redirects import Redirects
from service.tickets.status import TicketStatus
from service.tickets.store import TicketStore

_PATIENCE: Final = 8.0
"""Seconds to wait for a concurrent request of the same user and session: the longest that WeChat may take."""
REUSED_WITH_LEFT: Final = timedelta(seconds=60)
"""A bind ticket is returned again only with at least this much time left (contract.md 4)."""


@dataclass(frozen=True, slots=True)
class BindOrder:
    """A site's request to bind one of its users, in one of their sessions ('' if not given)."""

    client: str
    user_id: UserId
    method: Method | None = None
    account: str | None = None
    session: str = ""
    refresh: bool = False
    back: ReturnTo | None = None
    lang: Lang | None = None
    requester: Requester = field(default_factory=Requester)


@dataclass(slots=True, kw_only=True)
class TicketIssuer:
    """Issues tickets: a new one, or the pending one of the same session."""

    factory: TicketFactory
    redis: "Redis | RedisCluster"
    store: TicketStore
    redirects: Redirects
    requests: BindRequests
    ticket_status: TicketStatus
    limits: RateLimits
    audit: AuditLog
    metrics: Metrics
    clock: Callable[[], datetime]

    async def login(
        self,
        client: str,
        *,
        method: Method | None,
        account: str | None,
        via: Via,
        back: ReturnTo | None = None,
        lang: Lang | None,
        requester: Requester,
    ) -> Issued:
        """Make a login ticket.

        Raises:
            InvalidRequest: as `TicketFactory.choose`, or a redirect is not told where to return to.
            RateLimited: the daily quota of QR codes for logins is used up.
            WeChatUnavailable: WeChat did not create the QR code.
            StoreUnavailable: Redis does not answer.
        """
        by_page = via is Via.PAGE

        async def make(method: Method, account: str) -> Issued:
            async def meanwhile(head: TicketHeader) -> None:
                if by_page:
                    await self._store(head, requester, account=account, back=back)

            issued = await self.factory.make(
                client,
                method=method,
                account=account,
                kind=Kind.LOGIN_PAGE if by_page else Kind.LOGIN_BACKEND,
                lang=lang,
                meanwhile=meanwhile,
            )
            if not by_page:  # another page will show the QR code, and read it from the stored ticket
                qr_url = issued.shown.qr_url or None
                await self._store(issued.head, requester, account=account, back=back, qr_url=qr_url)
            return issued

        issued = await self._first_that_works(client, self._choices(client, method, account, back), make)
        self._note(issued, client=client)
        return issued

    async def bind(self, wanted: BindOrder) -> Issued:
        """Make a bind ticket, or return the pending one of this user and session.

        Raises:
            InvalidRequest: as `login`.
            RateLimited: a new ticket is needed, and the user's limit per minute or the daily quota of QR codes
                is used up; an earlier ticket stays valid.
            WeChatUnavailable: WeChat did not create the QR code; an earlier ticket stays valid.
            StoreUnavailable: Redis or the database does not answer.
        """
        choices = self._choices(wanted.client, wanted.method, wanted.account, wanted.back)
        # An earlier ticket may be of another method, which was shown in place of the first.
        usable = choices if wanted.method is None else choices[:1]
        # Two tabs opened at the same time must show the same QR code.
        async with alone(self.redis, _lock(wanted), patience=_PATIENCE):
            now = self.clock()
            earlier = await self.requests.live(wanted.client, wanted.user_id, wanted.session, now=now)
            for request in earlier:
                if not wanted.refresh and (again := await self._reissued(request, usable, wanted.back, now)):
                    return again
            await self.limits.fresh_bind(wanted.client, wanted.user_id)
            issued = await self._first_that_works(wanted.client, choices, partial(self._bind, wanted))
            for request in earlier:
                await self.ticket_status.cancel_request(request, now)
            return issued

    async def shown(self, head: TicketHeader, keys: ClientKeys) -> Shown:
        """Return again what the browser shows for a ticket, as far as that is known.

        Raises:
            StoreUnavailable: Redis or the database does not answer.
        """
        if head.purpose is Purpose.BIND:
            request = await self.requests.of(head.ticket)
            account, qr_url = (request.account, request.qr_url) if request else (None, "")
        else:
            account = self.factory.account_of(head, keys.client)
            # Of logins that a page started it is not stored.
            qr_url = (await self.ticket_status.read(head)).qr_url or ""
        return self.factory.shown(head, keys, account=account, qr_url=qr_url) if account else Shown()

    async def withdraw(self, client: str, user_id: UserId, session: str) -> None:
        """Cancel all open bind tickets of this user and session.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now = self.clock()
        for request in await self.requests.live(client, user_id, session, now=now):
            await self.ticket_status.cancel_request(request, now)

    def _choices(
        self, client: str, method: Method | None, account: str | None, back: ReturnTo | None
    ) -> list[tuple[Method, str]]:
        """Return the method of a ticket and its account, then those that take their place, in this order."""
        chosen = self.factory.choose(client, method, account)
        if chosen[0] in REDIRECTS and back is None:
            raise InvalidRequest(f"return_url: is missing, or state is: the method {chosen[0]} needs both")
        return [chosen, *self.factory.fallbacks(client, chosen[0], account)]

    async def _first_that_works(
        self,
        client: str,
        choices: list[tuple[Method, str]],
        make: Callable[[Method, str], Awaitable[Issued]],
    ) -> Issued:
        """Make a ticket by the first choice; by the next one while its code cannot be had."""
        *before, last = choices
        for choice in before:
            try:
                return await make(*choice)
            except WeChatUnavailable:
                continue  # logged by the call
            except RateLimited as e:
                self.metrics.limited.labels(e.limit).inc()
                self.audit.limit_hit(e.limit, client=client, account=e.account)
        return await make(*last)

    async def _bind(self, wanted: BindOrder, method: Method, account: str) -> Issued:
        issued = await self.factory.make(
            wanted.client,
            method=method,
            account=account,
            # For binds of the portal: a scan reads from SQL that the portal started it (scan_context.py).
            kind=Kind.BIND_KEPT if started_by_portal(wanted.session) else bind_kind(method, wanted.user_id),
            lang=wanted.lang,
            user_id=wanted.user_id,
            meanwhile=lambda head: self._store(
                head, wanted.requester, account=account, back=wanted.back, user_id=wanted.user_id
            ),
        )
        request = BindRequest(
            ticket=issued.head.ticket,
            client=wanted.client,
            account=issued.account,
            user_id=wanted.user_id,
            session=wanted.session,
            account_name=wanted.requester.account_name,
            qr_url=issued.shown.qr_url,
            created_at=issued.created_at,
            expires_at=issued.head.expires_at,
        )
        await self.requests.save(request)
        self._note(issued, client=wanted.client, user_id=wanted.user_id)
        return issued

    async def _store(
        self,
        head: TicketHeader,
        requester: Requester,
        *,
        account: str,
        back: ReturnTo | None,
        user_id: UserId | None = None,
        qr_url: str | None = None,
    ) -> None:
        if back and head.method in REDIRECTS:
            await self.redirects.add(head, account, back, user_id)
        await self.store.add(Ticket(head.ticket, requester=requester, qr_url=qr_url), expires_at=head.expires_at)

    def _note(self, issued: Issued, *, client: str, user_id: UserId | None = None) -> None:
        self.audit.note(
            AuditEvent.TICKET_MADE,
            client=client,
            account=issued.account,
            ticket=issued.head.ticket,
            user_id=user_id,
            detail=issued.head.purpose,
        )

    async def _reissued(
        self, request: BindRequest, usable: list[tuple[Method, str]], back: ReturnTo | None, now: datetime
    ) -> Issued | None:
        """Return the ticket of an earlier request; None if it cannot be reused."""
        if request.expires_at - now < REUSED_WITH_LEFT:
            return None
        issued = await self.factory.remake(request)
        if issued is None or (issued.head.method, request.account) not in usable:
            return None
        if (await self.ticket_status.read_afresh(issued.head)).status is not Status.PENDING:
            return None
        if issued.head.method in REDIRECTS:
            redirect = await self.redirects.of(issued.head)
            return issued if redirect and redirect.back == back else None
        return issued


def _lock(wanted: BindOrder) -> str:
    whose = f"{wanted.client}\0{wanted.user_id}\0{wanted.session}"
    return f"scanbind:b:{hashlib.sha256(whose.encode()).hexdigest()}"
