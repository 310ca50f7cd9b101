"""Lists, replays, tests and enables webhooks for the operator (`scanbind webhooks`)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.errors import StoreUnavailable
from models.outbox import NOTICES, State
from models.tables.outbox import outbox
from models.timestamps import rfc3339
from service.audit.log import write_entries
from service.config.settings import ConfigError, Settings
from service.crypto.field_encryption import FieldCipher
from service.identities import reencryption
from service.outbox.outbox import answer_to
from service.storage.stores import open_database
from service.webhooks.endpoint_states import clear_state, read_state, try_all
from service.webhooks.endpoints import Endpoint, endpoints
from service.webhooks.post import open_webhook_post
from service.webhooks.schedule import EndpointState

_IT: Final = outbox.c
_OPERATOR: Final = "(operator)"
_SHOWN: Final = (
    *(_IT.message, _IT.target, _IT.client, _IT.event, _IT.state, _IT.at, _IT.tries, _IT.tried_at, _IT.due_at),
    *(_IT.status, _IT.fault, _IT.answer, _IT.sealed_by),
)
_PAGE: Final = 500
TEST: Final = "webhook.test"
"""The `type` of the event that `test` sends. No subscription names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Which deliveries are meant; None: any."""

    client: str | None = None
    since: datetime | None = None
    id: str | None = None
    state: State | None = None

    def where(self) -> Iterator[sa.ColumnElement[bool]]:
        yield ~_IT.target.startswith(NOTICES, autoescape=True)  # a notice is no webhook, and is not sent twice
        if self.client is not None:
            yield _IT.client == self.client
        if self.since is not None:
            yield _IT.at >= self.since
        if self.id is not None:
            yield _IT.message == self.id
        if self.state is not None:
            yield _IT.state == self.state


async def list_endpoints(settings: Settings, *, client: str | None) -> list[str]:
    """Return a line for each endpoint: its client, address, key, events, state and numbers of deliveries.

    Raises:
        ConfigError: there is no such client.
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    found = _of(settings, client)

    def work(connection: sa.Connection) -> list[tuple[EndpointState | None, Mapping[State, int]]]:
        return [(read_state(connection, one.target), _counts(connection, one.target)) for one in found]

    async with open_database(settings, patient=True) as database:
        states = await database.read(work)
    return [_described(one, *state) for one, state in zip(found, states, strict=True)]


async def list_deliveries(settings: Settings, wanted: Deliveries, *, limit: int) -> list[str]:
    """Return the last *limit* deliveries as lines of JSON, the oldest first.

    Raises: as `list_endpoints`.
    """
    _of(settings, wanted.client)
    shown = {one.target: one.shown for one in endpoints(settings)}
    query = sa.select(*_SHOWN).where(*wanted.where()).order_by(_IT.id.desc()).limit(limit)
    async with open_database(settings, patient=True) as database:
        rows = await database.read(lambda connection: connection.execute(query).mappings().all())
    cipher = reencryption.cipher(settings)
    return [json.dumps(_delivery(row, shown, cipher), ensure_ascii=False) for row in reversed(rows)]


async def replay(settings: Settings, wanted: Deliveries, *, now: datetime) -> int:
    """Deliver settled events again under the same ids; return how many deliveries that are.

    What was erased is not sent again. A running service notices within seconds.

    Raises: as `list_endpoints`.
    """
    _of(settings, wanted.client)
    detail = f"since {rfc3339(wanted.since)}" if wanted.since else wanted.id
    async with open_database(settings, patient=True) as database:
        count, last = 0, 0
        while page := await database.once(partial(_replay_page, wanted=wanted, after=last, now=now)):
            count, last = count + len(page), page[-1]
        if count:  # an id that no event has may be longer than what the log takes
            entry = AuditEntry(now, AuditEvent.WEBHOOKS_REPLAYED, wanted.client, detail=f"{count} {detail}")
            await database.once(lambda connection: write_entries(connection, entry))
    return count


async def enable(settings: Settings, *, client: str | None, url: str, now: datetime) -> int:
    """Let an endpoint take events again, at once; return how many wait for it.

    *url* may be without its query, as in `list_endpoints`.

    Raises: as `list_endpoints`; ConfigError also if it is not one of the client's endpoints.
    """
    named = [one for one in endpoints(settings) if one.client == client and url in (one.url, one.shown)]
    if not named:
        whose = "operator.webhook" if client is None else f"clients.{client}.webhooks"
        raise ConfigError([f"--url: is not configured under {whose}"])

    def work(connection: sa.Connection) -> int:
        for one in named:
            clear_state(connection, one.target)
            try_all(connection, one.target, now=now)
        write_entries(connection, AuditEntry(now, AuditEvent.WEBHOOK_ENABLED, client))
        return sum(_counts(connection, one.target).get(State.PENDING, 0) for one in named)

    async with open_database(settings, patient=True) as database:
        return await database.once(work)


async def send_test(settings: Settings, *, client: str) -> list[tuple[str, str | None]]:
    """Post an event of type TEST to each endpoint of a client; return address and fault of each.

    Raises:
        ConfigError: there is no such client.
    """
    body = {
        "type": TEST,
        "timestamp": rfc3339(now := datetime.now(UTC), "milliseconds"),
        "data": {"client": client},
    }
    content, message = json.dumps(body).encode(), f"msg_test_{int(now.timestamp())}"
    async with open_webhook_post() as http:
        post = partial(http.post, message_id=message, body=content, at=now)
        return [(one.shown, (await post(one)).error) for one in _of(settings, client)]


def _of(settings: Settings, client: str | None) -> Sequence[Endpoint]:
    """Return the endpoints of a client, or with None all. Raises ConfigError if there is no such client."""
    if client is not None and client not in settings.clients:
        raise ConfigError([f"--client: must be one of: {', '.join(settings.clients)}"])
    return [one for one in endpoints(settings) if client in (None, one.client)]


def _replay_page(connection: sa.Connection, *, wanted: Deliveries, after: int, now: datetime) -> Sequence[int]:
    """Make the next settled events pending; return their numbers. The running service writes between two pages."""
    settled = (_IT.state != State.PENDING, _IT.payload.is_not(None), _IT.id > after)
    query = sa.select(_IT.id).where(*wanted.where(), *settled).order_by(_IT.id).limit(_PAGE)
    page = connection.scalars(query).all()
    again = sa.update(outbox).where(_IT.id.in_(page), _IT.state != State.PENDING)
    connection.execute(again.values(state=State.PENDING, due_at=now, tries=0))
    return page


def _counts(connection: sa.Connection, target: str) -> Mapping[State, int]:
    counted = sa.select(_IT.state, sa.func.count()).where(_IT.target == target).group_by(_IT.state)
    return {State(state): count for state, count in connection.execute(counted)}


def _described(one: Endpoint, state: EndpointState | None, counts: Mapping[State, int]) -> str:
    keys = [key for signer in one.signers if (key := signer.public_key)] or ["secret"]
    counted = " ".join(f"{name}={counts.get(name, 0)}" for name in State)
    return " ".join(
        [
            one.client or _OPERATOR,
            one.shown,
            _condition(state),
            counted,
            f"signed={','.join(keys)}",
            f"events={','.join(sorted(one.events))}",
        ]
    )


def _condition(state: EndpointState | None) -> str:
    if state is None:
        return "enabled"
    if state.disabled and state.disabled_at:
        return f"disabled={state.disabled} since={rfc3339(state.disabled_at)}"
    return f"enabled failures={state.failures}"


def _delivery(row: Any, shown: Mapping[str, str], cipher: FieldCipher) -> Mapping[str, Any]:
    values = {
        "id": row["message"],
        "client": row["client"],
        "url": shown.get(row["target"]),
        "event": row["event"],
        "state": row["state"],
        "at": rfc3339(row["at"]),
        "tries": row["tries"],
        "tried_at": row["tried_at"] and rfc3339(row["tried_at"]),
        "next_try": rfc3339(row["due_at"]) if row["state"] is State.PENDING else None,
        "status": row["status"],
        "fault": row["fault"],
        "answer": _answer(row, cipher),
    }
    return {name: value for name, value in values.items() if value is not None}


def _answer(row: Any, cipher: FieldCipher) -> str | None:
    if row["answer"] is None:
        return None
    try:
        opened = cipher.unseal(row["answer"], about=answer_to(row["message"]), by=row["sealed_by"])
    except StoreUnavailable:
        return None
    return opened.decode(errors="replace")
