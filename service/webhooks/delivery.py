"""Delivers events to one endpoint of webhooks, and leaves it alone when it asks for that or keeps failing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import uniform
from typing import Final

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.outbox import EndpointFault, State
from models.timestamps import rfc3339
from models.webhook import WebhookEvent
from service.audit.log import append_entry
from service.observability.metrics import Metrics
from service.outbox.outbox import Outbox
from service.outbox.queue import Message, Settlement
from service.outbox.sender import Attempt
from service.storage.inserting import appending
from service.webhooks.answer import Answer
from service.webhooks.endpoint_states import clear_state, hold_state, read_state, try_all, write_state
from service.webhooks.endpoints import Endpoint
from service.webhooks.post import WebhookPost
from service.webhooks.schedule import SPREAD, EndpointState, after_failure, after_success, next_try

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Deliveries to one endpoint at the same time."""


@dataclass(slots=True, kw_only=True)
class EndpointDelivery:
    """A target of the outbox: see `service.outbox.sender.Target`."""

    endpoint: Endpoint
    http: WebhookPost
    outbox: Outbox
    metrics: Metrics
    clock: Callable[[], datetime]
    _suspect: bool = field(default=False, init=False)
    """Whether something was known against the endpoint when it was last read."""

    def room(self, connection: sa.Connection, *, now: datetime) -> int:
        """Return how many events may be tried at once: none at an endpoint that is gone or paused."""
        state = read_state(connection, self.endpoint.target)
        self._suspect = state is not None
        if state is None:
            return AT_ONCE
        if state.disabled is EndpointFault.GONE or (state.paused_until and state.paused_until > now):
            return 0
        return 1 if state.disabled else AT_ONCE

    async def deliver(self, message: Message) -> Attempt:
        """Post an event; a failure is settled with the next try, or as dead after the last one."""
        at = self.clock()
        answer = await self.http.post(self.endpoint, message_id=message.id, body=message.payload, at=at)
        now = self.clock()
        settlement = self._settlement(message, answer, now)
        self.metrics.webhooks.labels(self.endpoint.client or "", self._outcome(settlement)).inc()
        if answer.ok:
            return Attempt(settlement, partial(self._note_success, now=now) if self._suspect else _nothing)
        log.info(
            "webhooks: %s was not delivered to %s: %s; try %d, next %s",
            message.event,
            self._name,
            answer.error,
            message.tries + 1,
            rfc3339(settlement.due_at) if settlement.due_at else "none",
        )
        return Attempt(settlement, partial(self._note_failure, answer=answer, now=now))

    def _settlement(self, message: Message, answer: Answer, now: datetime) -> Settlement:
        made = partial(Settlement, at=now, status=answer.status, fault=answer.error, answer=answer.body)
        if answer.ok:
            return made(state=State.DELIVERED)
        if answer.status == 410:
            return made(state=State.PENDING, due_at=now, counts=False)
        due_at = next_try(message.tries, answer, now=now, spread=_spread())
        return made(state=State.PENDING if due_at else State.DEAD, due_at=due_at)

    @property
    def _name(self) -> str:
        return f"{self.endpoint.client or 'the operator'} at {self.endpoint.origin}"

    @staticmethod
    def _outcome(settlement: Settlement) -> str:
        return "failed" if settlement.state is State.PENDING else settlement.state

    def _note_success(self, connection: sa.Connection, *, now: datetime) -> None:
        state = read_state(connection, self.endpoint.target, hold=True)
        if state is None:
            return
        if after := after_success(state, now=now):
            write_state(connection, self.endpoint.target, after)
            return
        clear_state(connection, self.endpoint.target)
        if state.disabled:
            try_all(connection, self.endpoint.target, now=now)
            log.warning("webhooks: %s takes events again", self._name)
            with appending(connection) as rows:
                append_entry(rows, AuditEntry(now, AuditEvent.WEBHOOK_ENABLED, self.endpoint.client))

    def _note_failure(self, connection: sa.Connection, *, answer: Answer, now: datetime) -> None:
        before = hold_state(connection, self.endpoint.target)
        after = after_failure(before, answer, now=now, spread=_spread())
        write_state(connection, self.endpoint.target, after)
        if after.disabled is not None and after.disabled is not before.disabled:
            self._tell_disabled(connection, after, now=now)

    def _tell_disabled(self, connection: sa.Connection, state: EndpointState, *, now: datetime) -> None:
        client, url = self.endpoint.client, self.endpoint.shown
        log.error("webhooks: %s is disabled: %s", self._name, state.disabled)
        data = {
            "client": client,
            "url": url,
            "reason": state.disabled,
            "since": rfc3339(state.failing_since or now),
        }
        with appending(connection) as rows:
            append_entry(rows, AuditEntry(now, AuditEvent.WEBHOOK_DISABLED, client, detail=state.disabled))
            if client is not None:  # the operator's own cannot tell that it is disabled
                self.outbox.add(rows, WebhookEvent.WEBHOOK_DISABLED, client=None, data=data, at=now)


def _nothing(_: sa.Connection) -> None:
    """Store nothing beside the settlement."""


def _spread() -> float:
    return uniform(-SPREAD, SPREAD)  # noqa: S311 - jitter, not a secret
