"""Writes events for their targets, in the transaction of the change that they tell of (docs/adr/0039).

A target is what delivers an event: an endpoint of webhooks, or the chat. Each has a row of its own for each event.
"""

import json
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from models.outbox import State
from models.tables.outbox import outbox
from models.timestamps import rfc3339
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.storage.inserting import AppendedRows

_ID: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class Subscription:
    """The events that a target delivers; `target` has at most 32 characters."""

    target: str
    events: frozenset[WebhookEvent]
    notices: bool = False
    """Deliver only those events whose holder is told of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an event is about, as far as its delivery depends on it."""

    user_id: str | None = None
    follower_id: int | None = None
    person: int | None = None
    erased: bool = False
    """The person was erased: the payload is not kept once it is delivered."""
    notice: bool = False
    """The holder of the WeChat is told of it in the chat."""


@dataclass(slots=True)
class Outbox:
    """Adds events to the rows of a transaction, encrypted like openids."""

    cipher: FieldCipher
    subscriptions: Mapping[str | None, Sequence[Subscription]] = field(default_factory=dict)
    """By client; those of the operator under None."""
    wake: Callable[[], None] = lambda: None
    """Called when events that were written may be committed."""
    _written: float = field(default=-math.inf, init=False)
    """The monotonic time when an event was written last."""

    def hears(self, client: str | None) -> bool:
        """Return whether a client, or with None the operator, has subscriptions."""
        return client in self.subscriptions

    def add(
        self,
        rows: AppendedRows,
        event: WebhookEvent,
        *,
        client: str | None,
        data: Mapping[str, Any],
        at: datetime,
        about: About = About(),
    ) -> None:
        """Add an event to the rows of the caller's transaction, one for each target that hears of it.

        The payload is the body of a webhook (contract.md 9): `type`, `timestamp`, and `data` with `client` first.
        """
        heard = (one for one in self.subscriptions.get(client, ()) if event in one.events)
        targets = [one.target for one in heard if about.notice or not one.notices]
        if not targets:
            return
        message = f"msg_{secrets.token_urlsafe(_ID)}"
        body = {"type": event, "timestamp": rfc3339(at, "milliseconds"), "data": {"client": client} | dict(data)}
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        row = {
            "message": message,
            "client": client,
            "event": event,
            "user_id": about.user_id,
            "follower_id": about.follower_id,
            "person_id": about.person,
            "payload": self.cipher.seal(content, about=payload_of(message)),
            "sealed_by": self.cipher.newest,
            "at": at,
            "state": State.PENDING,
            "erased": about.erased,
            "due_at": at,
            "tries": 0,
        }
        for target in targets:
            rows.add(outbox, row | {"target": target})
        self._written = time.monotonic()

    def committed(self, began: float) -> None:
        """Wake the sender if events were written since *began*, when the transaction that was committed began."""
        if self._written >= began:
            self.wake()


def payload_of(message: str) -> str:
    """Return what the payload of a message is encrypted for."""
    return f"outbox payload {message}"


def answer_to(message: str) -> str:
    """Return what the kept answer to a message is encrypted for."""
    return f"outbox answer {message}"
