"""The life of a ticket. Knows no clock, no Redis.

Two rules: `TRANSITIONS` says all that can happen, and an ending that SQL has accepted always wins.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from models.events import OpenId
from models.requester import Requester

TicketId = NewType("TicketId", str)
"""The head of the scene in the code; worth nothing alone (models/scene.py)."""
READABLE_AFTER: Final = timedelta(seconds=120)
"""How long past expiry a final status can still be read (contract.md 4)."""
CODE_LIVES: Final = timedelta(seconds=60)
"""How long after the confirmation a code can be exchanged (contract.md 4)."""
REGISTRATION_LIVES: Final = timedelta(seconds=900)
"""How long after the exchange a registration can be used (contract.md 5)."""


class Purpose(StrEnum):
    LOGIN = "login"
    BIND = "bind"


class Via(StrEnum):
    """Who started the ticket."""

    PAGE = "page"
    BACKEND = "backend"


class Confirm(StrEnum):
    """What the phone is asked after the scan (contract.md 4)."""

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
    """Why a rejected ticket ended."""

    DECLINED = "declined"
    WRONG_NUMBER = "wrong_number"
    WECHAT_TAKEN = "wechat_taken"
    USER_TAKEN = "user_taken"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a ticket ended: its one row in SQL. Never changes, but for what was redeemed with it."""

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
    """What is happening to a ticket, as Redis holds it. `version` grows with every change."""

    id: TicketId
    status: Status = Status.PENDING
    openid: OpenId | None = None
    """The first to scan; theirs alone from then on."""
    checked_at: datetime | None = None
    """When it was last known that SQL holds no ending of it; kept from the scan on."""
    outcome: Outcome | None = None
    reason: Reason | None = None
    answered_at: datetime | None = None
    code_used: bool = False
    qr_url: str | None = None
    """What the code says, where only Redis keeps it: of a login that a back end started."""
    requester: Requester = field(default_factory=Requester)
    erased: bool = False
    """Whoever scanned it was forgotten since, and is not learned of again."""
    version: int = 0


_ENDS: Final = {
    Signal.CONFIRM: Status.CONFIRMED,
    Signal.REFUSE: Status.REJECTED,
    Signal.CANCEL: Status.CANCELLED,
}
# A self-loop is a redelivery: legal, and nothing changes. An ending leads on from everywhere, even from another
# one: Redis may come back with a state that SQL never knew.
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
    """Return the ticket after *signal*; the very same object if nothing changed.

    A scan by anybody but the first scanner changes nothing: compare `openid` to see whose the ticket is.
    """
    status = TRANSITIONS[ticket.status][signal]
    if status is ticket.status:
        return ticket
    owner = openid if signal is Signal.SCAN else ticket.openid
    return replace(ticket, status=status, openid=owner, checked_at=now)


def settle(ticket: Ticket, ending: Ending, *, now: datetime) -> Ticket:
    """Return the ticket as its row in SQL says it ended; the very same object if it already says so."""
    settled = replace(
        advance(ticket, _SIGNALS[ending.status], now=now),
        openid=None if ticket.erased else ending.openid,
        outcome=ending.outcome,
        reason=ending.reason,
        answered_at=ending.answered_at,
        # The row may have been read before its code was used: what was seen used stays used.
        code_used=ticket.code_used or ending.code_used_at is not None,
    )
    return ticket if settled == ticket else settled


def forget(ticket: Ticket) -> Ticket:
    """Return the ticket without whoever asked for it and whoever scanned it; itself if it names nobody.

    One that was not over is pending again, as after a loss of Redis.
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
