"""What the record keeps: a line for each thing that happened and matters to security. Values only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AuditEvent(StrEnum):
    """What happened. What happens to a binding has words of its own (models/binding.py, Change)."""

    TICKET_MADE = "ticket_made"
    SCANNED = "scanned"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"
    EXCHANGE_REFUSED = "exchange_refused"
    PORTAL_OPENED = "portal_opened"
    LIMIT_HIT = "limit_hit"
    KEY_ROTATED = "key_rotated"
    DATA_EXPORTED = "data_exported"
    DATA_ERASED = "data_erased"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the record: never a secret, and of an openid only its end."""

    at: datetime
    event: str
    """An AuditEvent, or a Change of a binding."""
    client: str | None = None
    account: str | None = None
    ticket: str | None = None
    openid: str | None = None
    """As `models.event.shortened` leaves it."""
    user_id: str | None = None
    detail: str | None = None
    """A word or two more: how it ended, by which door, which limit."""
