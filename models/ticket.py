"""The state machine of a ticket. Has no clock and no I/O.

Two rules: `TRANSITIONS` lists every legal transition, and an ending that is committed in SQL always wins.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from models.events import OpenId
from models.requester import Requester

TicketId = NewType("TicketId", str)
"""The head of the scene in the QR code (models/scene.py). Grants nothing without the ticket's secret."""
READABLE_AFTER: Final = timedelta(seconds=120)
"""How long after the ticket's expiry its final status can be read (contract.md 4)."""
CODE_LIVES: Final = timedelta(seconds=60)
"""How long after the confirmation the login code can be exchanged (contract.md 4)."""
REGISTRATION_LIVES: Final = timedelta(seconds=900)
"""How long after the exchange a registration can be used (contract.md 5)."""


class Purpose(StrEnum):
    LOGIN = "login"
    BIND = "bind"


class Via(StrEnum):
    """What started the ticket: the page, or the site's back end."""

    PAGE = "page"
    BACKEND = "backend"


class Confirm(StrEnum):
    """How the user confirms in the chat after the scan (contract.md 4)."""

    NONE = "none"
    TAP = "tap"
    CHOOSE = "choose"
    MATCH = "match"


class Status(StrEnum):
    PENDING = "pending"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self not in (Status.PENDING, Status.SCANNED)


class Signal(StrEnum):
    SCAN = "scan"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    CANCEL = "cancel"
    LAPSE = "lapse"


class Outcome(StrEnum):
    """How a confirmed ticket ended."""

    LOGIN = "login"
    REGISTER = "register"
    BOUND = "bound"
    ALREADY_BOUND = "already_bound"


class Reason(StrEnum):
    """Why a ticket was rejected."""

    DECLINED = "declined"
    WRONG_NUMBER = "wrong_number"
    WECHAT_TAKEN = "wechat_taken"
    USER_TAKEN = "user_taken"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a ticket ended: its row in SQL. Only exchange, registration and erasure change it later."""

    ticket: TicketId
    client: str
    status: Status
    answered_at: datetime
    expires_at: datetime
    account: str | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    openid: OpenId | None = None
    user_id: str | None = None
    via: Via | None = None
    state: str | None = None
    code_used_at: datetime | None = None
    registered_to: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """The state of a ticket in Redis. `version` grows with every change."""

    id: TicketId
    status: Status = Status.PENDING
    openid: OpenId | None = None
    """The first person to scan. Scans by others have no effect."""
    checked_at: datetime | None = None
    """When the ticket was scanned or, later, when SQL was last checked and had no ending."""
    outcome: Outcome | None = None
    reason: Reason | None = None
    answered_at: datetime | None = None
    code_used: bool = False
    qr_url: str | None = None
    """The content of the QR code; only for a login that a back end started, where SQL does not store it."""
    requester: Requester = field(default_factory=Requester)
    erased: bool = False
    """The person who scanned was erased afterwards: `openid` must not be restored from SQL."""
    version: int = 0


_ENDS: Final = {
    Signal.CONFIRM: Status.CONFIRMED,
    Signal.REFUSE: Status.REJECTED,
    Signal.CANCEL: Status.CANCELLED,
}
# A self-loop is a redelivery: legal, and without effect. An ending is legal in every status, even a final one:
# Redis may be restored to a state that was never committed in SQL.
TRANSITIONS: Final[dict[Status, dict[Signal, Status]]] = {
    Status.PENDING: {Signal.SCAN: Status.SCANNED, Signal.LAPSE: Status.EXPIRED, **_ENDS},
    Status.SCANNED: {Signal.SCAN: Status.SCANNED, Signal.LAPSE: Status.EXPIRED, **_ENDS},
    **{
        final: {Signal.SCAN: final, Signal.LAPSE: final, **_ENDS}
        for final in (Status.CONFIRMED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED)
    },
}
_SIGNALS: Final = {status: signal for signal, status in _ENDS.items()}


def advance(ticket: Ticket, signal: Signal, *, now: datetime, openid: OpenId | None = None) -> Ticket:
    """Return the ticket after *signal*; the same object if nothing changed.

    The first scan sets `openid`; later ones have no effect.
    """
    status = TRANSITIONS[ticket.status][signal]
    if status is ticket.status:
        return ticket
    owner = openid if signal is Signal.SCAN else ticket.openid
    return replace(ticket, status=status, openid=owner, checked_at=now)


def settle(ticket: Ticket, ending: Ending, *, now: datetime) -> Ticket:
    """Return the ticket updated from its ending in SQL; the same object if nothing changed."""
    settled = replace(
        advance(ticket, _SIGNALS[ending.status], now=now),
        openid=None if ticket.erased else ending.openid,
        outcome=ending.outcome,
        reason=ending.reason,
        answered_at=ending.answered_at,
        # The row may have been read before the code was used: once true, this stays true.
        code_used=ticket.code_used or ending.code_used_at is not None,
    )
    return ticket if settled == ticket else settled


def forget(ticket: Ticket) -> Ticket:
    """Return the ticket without its requester and its openid; the same object if nothing changed.

    An unfinished ticket becomes pending again, as after a loss of Redis.
    """
    final = ticket.status.final
    forgotten = replace(
        ticket,
        status=ticket.status if final else Status.PENDING,
        openid=None,
        checked_at=ticket.checked_at if final else None,
        requester=Requester(),
        erased=final,
    )
    return ticket if forgotten == ticket else forgotten
