"""Audit log values: the events that matter to security, and the entry written for each."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AuditEvent(StrEnum):
    """What happened. Changes of a binding have their own names (`Change` in models/binding.py)."""

    TICKET_MADE = "ticket_made"
    SCANNED = "scanned"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"
    EXCHANGE_REFUSED = "exchange_refused"
    PORTAL_OPENED = "portal_opened"
    LIMIT_HIT = "limit_hit"
    KEY_IN_USE = "key_in_use"
    KEY_ROTATED = "key_rotated"
    DATA_EXPORTED = "data_exported"
    DATA_ERASED = "data_erased"
    IDENTITIES_MIGRATED = "identities_migrated"
    """WeChat told the new openids of identities of a former account: an entry for each batch."""
    TOKEN_GIVEN = "token_given"  # noqa: S105 - the name of an event
    """A client got an account's access token."""
    TOKEN_REPORTED = "token_reported"  # noqa: S105 - the name of an event
    """A client reported an access token that WeChat refused; `detail`: whether another was fetched."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - the name of an event
    """A client asked for an access token that it may not have."""
    PERSON_CONFLICT = "person_conflict"
    """Two persons with bindings to different users of a client turned out to be one: an entry for each binding."""
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_ENABLED = "webhook_enabled"
    WEBHOOKS_REPLAYED = "webhooks_replayed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the audit log. Contains no secret, and only the end of an openid."""

    at: datetime
    event: str
    """An AuditEvent, or a Change of a binding."""
    client: str | None = None
    account: str | None = None
    ticket: str | None = None
    openid: str | None = None
    """As returned by `models.events.shortened`."""
    user_id: str | None = None
    detail: str | None = None
    """How the ticket ended, what changed the binding, or which limit was hit."""
