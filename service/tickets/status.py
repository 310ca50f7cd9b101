"""Status of a ticket, for the page that shows its QR code. Read from memory, else Redis, else SQL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from models.confirmation import confirmation
from models.errors import TicketFinished
from models.events import OpenId
from models.method import REDIRECTS
from models.requester import Requester
from models.scene import Kind, TicketHeader
from models.tables.columns import to_millisecond
from models.ticket import Confirm, Ending, Outcome, Purpose, Reason, Signal, Status, Ticket, Via, advance, settle
from service.crypto.keyring import ClientKeys
from service.tickets.bind_requests import BindRequest, BindRequests
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings
from service.tickets.feed import Feed
from service.tickets.projection import Projection
from service.tickets.store import TicketStore

_STALE: Final = timedelta(seconds=15)
"""How long a ticket may stay scanned before SQL is checked for an ending that Redis lacks."""


@dataclass(frozen=True, slots=True)
class TicketView:
    """The fields of a ticket that a page may read; never the openid (contract.md 4)."""

    head: TicketHeader
    status: Status
    match: str | None
    outcome: Outcome | None
    reason: Reason | None
    code: str | None


@dataclass(slots=True, kw_only=True)
class TicketStatus:
    """Reads, marks and cancels tickets."""

    store: TicketStore
    feed: Feed
    endings: Endings
    decisions: TicketDecisions
    requests: BindRequests
    projection: Projection
    clock: Callable[[], datetime]

    async def read(self, head: TicketHeader) -> Ticket:
        """Return the current ticket, from the cache of this process if possible.

        Raises:
            StoreUnavailable: Redis or the database does not answer.
        """
        return await self._current(head, self.feed.cached(head.ticket) or await self._load(head))

    def known(self, head: TicketHeader) -> Ticket | None:
        """Return what `read` would return, if that takes no query; else None."""
        ticket = self.feed.cached(head.ticket)
        return ticket if ticket and not self._due(head, ticket) else None

    async def read_afresh(self, head: TicketHeader, *, stored: Ticket | None = None) -> Ticket:
        """Return the current ticket, bypassing the cache; *stored* is what Redis contained a moment ago.

        Raises:
            StoreUnavailable: Redis or the database does not answer.
        """
        return await self._current(head, stored or await self._load(head))

    async def ending(self, head: TicketHeader) -> Ending | None:
        """Return the ticket's ending, if it has one, from SQL: Redis may lack it.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        return await self.endings.of(head.ticket)

    async def stored(self, head: TicketHeader) -> Ticket | None:
        """Return the ticket as Redis contains it, if it does; another store may know more.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return await self.store.load(head.ticket)

    async def wait_while(
        self,
        same: Callable[[Ticket], bool],
        head: TicketHeader,
        ticket: Ticket,
        *,
        seconds: float,
        stop: asyncio.Event,
    ) -> Ticket:
        """Return the ticket once *same* is false for it, it has ended, *seconds* have passed, or *stop* is set.

        Raises:
            StoreUnavailable: Redis or the database does not answer.
        """
        until = asyncio.get_running_loop().time() + seconds
        while same(ticket) and not ticket.status.final and not stop.is_set():
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self.changed(head, ticket, seconds=left)
            ticket = await self.read(head)
        return ticket

    def changed(
        self,
        head: TicketHeader,
        ticket: Ticket,
        *,
        seconds: float,
        meanwhile: Callable[[], float] = lambda: 0.0,
    ) -> Awaitable[None]:
        """Wait until the ticket may have changed or expired, for at most *seconds*; queries no store.

        If the ticket is known to be unchanged after *seconds*, *meanwhile* is called: the wait goes on for as long
        as it returns, and ends if that is 0. So a stream can write comments without being woken.
        """
        # Not a coroutine: thousands of streams wait inside, and each would keep one more frame.
        again = _Again(self, head, ticket, meanwhile)
        return self.feed.wait(ticket, seconds=again.until_expiry(seconds), again=again)

    async def mark_scanned(self, head: TicketHeader, openid: OpenId) -> Ticket:
        """Mark the ticket as scanned, unless it has ended or another openid was first; return the result.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        now = self.clock()
        return await self.store.update(
            Ticket(head.ticket),
            lambda ticket: advance(ticket, Signal.SCAN, now=now, openid=openid),
            expires_at=head.expires_at,
        )

    async def cancel(self, head: TicketHeader, client: str) -> None:
        """End the ticket as cancelled.

        Raises:
            TicketFinished: it has ended already.
            StoreUnavailable: the database does not answer.
        """
        # In the precision of SQL, because it is compared with the committed ending.
        now = to_millisecond(self.clock())
        if now >= head.expires_at:
            raise TicketFinished("the ticket has expired")
        wanted = Ending(
            ticket=head.ticket,
            client=client,
            status=Status.CANCELLED,
            answered_at=now,
            expires_at=head.expires_at,
            via=head.via,
        )
        committed = await self.decisions.close(wanted)
        await self.projection.show(committed)
        if committed != wanted:
            raise TicketFinished(f"the ticket is {committed.status}")

    async def cancel_request(self, request: BindRequest, now: datetime) -> None:
        """End the ticket of a bind request as cancelled, unless it has ended already.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        ending = Ending(
            ticket=request.ticket,
            client=request.client,
            account=request.account,
            status=Status.CANCELLED,
            answered_at=now,
            expires_at=request.expires_at,
            via=Via.BACKEND,
        )
        await self.projection.show(await self.decisions.close(ending))

    def view(self, head: TicketHeader, ticket: Ticket, *, keys: ClientKeys, confirm: Confirm) -> TicketView:
        """Return the fields of *ticket* that the page may read; *confirm* is the client's setting."""
        # Of scans with `none` only the portal's reach `scanned`, and their user id is in SQL (BIND_KEPT).
        by_portal = head.kind is Kind.BIND_KEPT
        asked = confirmation(head.method, head.purpose, confirm, by_portal=by_portal)
        shows_number = ticket.status is Status.SCANNED and asked in (Confirm.CHOOSE, Confirm.MATCH)
        return TicketView(
            head=head,
            status=ticket.status,
            match=keys.numbers(ticket.id).match if shows_number else None,
            outcome=ticket.outcome,
            reason=ticket.reason,
            code=_code(head, ticket, keys),
        )

    async def _load(self, head: TicketHeader) -> Ticket:
        return await self.store.load(head.ticket) or await self._restore(head)

    async def _restore(self, head: TicketHeader) -> Ticket:
        """Restore from SQL a ticket that Redis has lost."""
        blank = Ticket(head.ticket, requester=await self._requester(head))
        ending = await self.endings.of(head.ticket)
        return await self.store.update(
            blank,
            lambda ticket: settle(ticket, ending, now=ending.answered_at) if ending else ticket,
            expires_at=head.expires_at,
        )

    async def _requester(self, head: TicketHeader) -> Requester:
        request = await self.requests.of(head.ticket) if head.purpose is Purpose.BIND else None
        return Requester(account_name=request.account_name if request else None)

    def _due(self, head: TicketHeader, ticket: Ticket) -> bool:
        """Tell whether SQL must be checked: the ticket has expired, or was scanned or checked too long ago."""
        if ticket.status.final:
            return False
        now = self.clock()
        return now >= head.expires_at or (ticket.checked_at is not None and now - ticket.checked_at > _STALE)

    async def _current(self, head: TicketHeader, ticket: Ticket) -> Ticket:
        """Expire the ticket when it is due; check SQL first, since Redis may lack the ending."""
        if not self._due(head, ticket):
            return ticket
        now = self.clock()
        lapsed = now >= head.expires_at
        ending = await self.endings.of(head.ticket)

        def move(ticket: Ticket) -> Ticket:
            if ending:
                return settle(ticket, ending, now=ending.answered_at)
            if lapsed:
                return advance(ticket, Signal.LAPSE, now=now)
            return replace(ticket, checked_at=now)

        return await self.store.update(ticket, move, expires_at=head.expires_at)


@dataclass(frozen=True, slots=True)
class _Again:
    """Decides for how long a wait goes on. Kept small: there are thousands at once."""

    status: TicketStatus
    head: TicketHeader
    ticket: Ticket
    meanwhile: Callable[[], float]

    def __call__(self) -> float:
        known = self.status.known(self.head)
        if known is None or known.version > self.ticket.version:
            return 0.0
        return self.until_expiry(self.meanwhile())

    def until_expiry(self, seconds: float) -> float:
        """Return *seconds*, or the time until the ticket expires if that is shorter."""
        left = (self.head.expires_at - self.status.clock()).total_seconds()
        return left if 0 < left < seconds and not self.ticket.status.final else seconds


def _code(head: TicketHeader, ticket: Ticket, keys: ClientKeys) -> str | None:
    if head.method in REDIRECTS:
        return None  # the browser that came back has it, and it may not be the one that polls
    redeemable = ticket.outcome in (Outcome.LOGIN, Outcome.REGISTER) and not ticket.code_used
    if not redeemable or ticket.openid is None or ticket.answered_at is None:
        return None
    return keys.code(head.ticket, ticket.openid, ticket.answered_at)
