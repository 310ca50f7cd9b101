"""Events to deliver: what is known of one, and of the endpoints that take them. Values only."""

import hashlib
from enum import StrEnum
from typing import Final

from models import base64url

_BYTES: Final = 16


class State(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """All its tries failed, or it grew too old."""


class EndpointFault(StrEnum):
    """Why an endpoint is disabled: the `reason` of `webhook.disabled`."""

    GONE = "gone"
    """It answered 410: only the operator enables it again."""
    FAILING = "failing"
    """It fails for long: one delivery at a time is tried, and a success enables it again."""


NOTICES: Final = "notice:"
"""How the targets of notices begin; no other target does."""


def webhook_target(client: str | None, url: str) -> str:
    """Return what the outbox calls an endpoint of webhooks: 22 characters, which do not tell its URL.

    *client* is None for the operator's.
    """
    return base64url.encode(hashlib.sha256(f"{client or ''}\0{url}".encode()).digest()[:_BYTES])


def notice_target(client: str) -> str:
    """Return what the outbox calls the notices of a client: 29 characters."""
    return NOTICES + base64url.encode(hashlib.sha256(client.encode()).digest()[:_BYTES])
