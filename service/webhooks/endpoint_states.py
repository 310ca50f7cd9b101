"""What is known against endpoints, in SQL: one row for each that failed last. Shared by all processes."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from models.outbox import State
from models.tables.outbox import outbox, webhook_endpoints
from service.storage.inserting import insert_unless_taken
from service.webhooks.schedule import EndpointState

_IT: Final = webhook_endpoints.c
_COLUMNS: Final = tuple(_IT[name] for name in EndpointState.__slots__)

_READ: Final = sa.select(*_COLUMNS).where(_IT.target == sa.bindparam("target"))
_HELD: Final = _READ.with_for_update()


def read_state(connection: sa.Connection, target: str, *, hold: bool = False) -> EndpointState | None:
    """Return what is known against an endpoint; *hold* locks the row until the transaction ends."""
    row = connection.execute(_HELD if hold else _READ, {"target": target}).first()
    return EndpointState(*row) if row else None


def hold_state(connection: sa.Connection, target: str) -> EndpointState:
    """Return what is known against an endpoint, in a row that the transaction has locked."""
    if (state := read_state(connection, target, hold=True)) is None:
        insert_unless_taken(connection, webhook_endpoints, {"target": target, "failures": 0})
        state = read_state(connection, target, hold=True)
    return state or EndpointState()


def write_state(connection: sa.Connection, target: str, state: EndpointState) -> None:
    """Store a state in the row that `hold_state` locked."""
    values = {name: getattr(state, name) for name in EndpointState.__slots__}
    connection.execute(sa.update(webhook_endpoints).where(_IT.target == target).values(values))


def clear_state(connection: sa.Connection, target: str) -> None:
    """Forget what is known against an endpoint."""
    connection.execute(sa.delete(webhook_endpoints).where(_IT.target == target))


def try_all(connection: sa.Connection, target: str, *, now: datetime) -> int:
    """Make all events that wait for an endpoint due; return how many."""
    waiting = sa.and_(outbox.c.target == target, outbox.c.state == State.PENDING, outbox.c.due_at > now)
    return connection.execute(sa.update(outbox).where(waiting).values(due_at=now)).rowcount
