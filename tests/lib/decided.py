"""Tickets for tests of decisions: claims, endings, and registrations ready to be used."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from models.binding import Policy, UserId
from models.events import OpenId
from models.language import Lang
from models.method import Method
from models.scene import Claim, Kind, TicketHeader
from models.tables.columns import to_millisecond
from models.ticket import Ending, Outcome, Status, TicketId
from service.tickets.decisions import TicketDecisions

NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)
KEPT = to_millisecond(NOW)
BEFORE = NOW - timedelta(seconds=60)
EXPIRES = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
ANNA, BEN = OpenId("oAnna"), OpenId("oBen")
USER = UserId("42")

Confirm = Callable[..., Awaitable[Ending]]


def claim(ticket: str = "t1", user_id: str | None = None, **changes: Any) -> Claim:
    kind = Kind.LOGIN_PAGE if user_id is None else Kind.BIND
    head = TicketHeader(TicketId(ticket), Method.SCAN, kind, Lang.ZH, EXPIRES)
    return Claim(**({"head": head, "client": "shop", "account": "main", "user_id": user_id} | changes))


def cancelled(ticket: str = "t1", **changes: Any) -> Ending:
    given = {"client": "shop", "status": Status.CANCELLED, "answered_at": NOW, "expires_at": EXPIRES}
    return Ending(ticket=TicketId(ticket), **(given | changes))


async def bound(confirm: Confirm, user_id: str = "42", openid: OpenId = ANNA) -> None:
    ending = await confirm(claim(f"bind-{user_id}-{openid}", user_id), openid)
    assert ending.outcome is Outcome.BOUND


async def redeemed(decisions: TicketDecisions, confirm: Confirm) -> TicketId:
    """The ticket of a registration that is ready to be used."""
    ending = await confirm(claim())
    assert ending.outcome is Outcome.REGISTER
    assert await decisions.redeem(ending.ticket, answered_after=BEFORE, now=NOW) is not None
    return ending.ticket


async def register(decisions: TicketDecisions, ticket: TicketId, **changes: Any) -> Any:
    given = {"client": "shop", "user_id": USER, "method": Method.SCAN, "policy": Policy(), "now": NOW}
    return await decisions.register(ticket, **(given | changes))
