"""Redirect tickets, in Redis: where the browser returns to, which browser owns the ticket, and who came back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from models.binding import UserId
from models.events import OpenId
from models.scene import TicketHeader
from models.web_authorization import REPLAYED_FOR, Redirect, ReturnTo, UnusableAuthorization, Way
from service.storage.records import RecordStore

PREFIX: Final = "scanbind:r:"


@dataclass(slots=True)
class Redirects:
    """Redirect tickets by their header. All methods raise StoreUnavailable if Redis does not answer."""

    records: RecordStore[Redirect]

    async def add(self, head: TicketHeader, account: str, back: ReturnTo, user_id: UserId | None) -> None:
        """Store a new one; of a bind, with its user."""
        await self.records.add(head.ticket, Redirect(account, back, user_id), until=_until(head))

    async def of(self, head: TicketHeader) -> Redirect | None:
        """Return that of a ticket; None if there is none, or Redis lost it."""
        return await self.records.load(head.ticket)

    async def claim(self, head: TicketHeader, way: Way, browser: str) -> Redirect:
        """Let *browser* own one way to WeChat, unless another browser was first.

        Raises:
            UnusableAuthorization: another browser was first, or there is none.
        """

        def move(held: Redirect) -> Redirect:
            owner = held.owners.get(way)
            if owner not in (None, browser):
                raise UnusableAuthorization
            return held if owner else replace(held, owners={**held.owners, way: browser})

        return await self._change(head, move)

    async def release(self, head: TicketHeader, way: Way, browser: str) -> None:
        """Let the next browser own this way, if it is *browser*'s.

        Raises: as `claim`.
        """

        def move(held: Redirect) -> Redirect:
            left = {other: owner for other, owner in held.owners.items() if (other, owner) != (way, browser)}
            return replace(held, owners=left)

        await self._change(head, move)

    async def returned(self, head: TicketHeader, openid: OpenId, *, now: datetime) -> None:
        """Store who came back, for the exchange of a bind.

        Raises: as `claim`.
        """
        await self._change(head, lambda held: replace(held, openid=openid, returned_at=now))

    async def _change(self, head: TicketHeader, move: Callable[[Redirect], Redirect]) -> Redirect:
        changed = await self.records.change(head.ticket, move, until=_until(head))
        if changed is None:
            raise UnusableAuthorization
        return changed


def _until(head: TicketHeader) -> datetime:
    return head.expires_at + REPLAYED_FOR
