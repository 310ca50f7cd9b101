"""What a receiver of webhooks must have heard at the end, compared with the database."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from webhook_receiver import Received

from models.binding import Change
from models.outbox import State
from models.tables.bindings import history
from models.tables.outbox import outbox
from models.tables.tickets import endings

TOLD = {Change.BOUND: "binding.created", Change.DISCONNECTED: "binding.removed"}
Told = dict[str, list[str]]
"""By user, the types of their events in order."""


@dataclass(frozen=True)
class Committed:
    """What the database tells at the end."""

    changes: Told
    """The history, as events."""
    logins: int
    states: Counter[State]


async def committed(engine: AsyncEngine) -> Committed:
    async with engine.connect() as connection:
        changes = defaultdict[str, list[str]](list)
        for row in await connection.execute(sa.select(history).order_by(history.c.id)):
            changes[row.user_id].append(TOLD[row.change])
        used = sa.select(sa.func.count()).where(endings.c.code_used_at.is_not(None))
        states = await connection.execute(sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state))
        counts = Counter({State(state): count for state, count in states})
        return Committed(dict(changes), await connection.scalar(used) or 0, counts)


async def pending(engine: AsyncEngine, *, leased: bool = False) -> set[int]:
    """Return the numbers of the events that are not settled; with *leased*, of those that are claimed."""
    query = sa.select(outbox.c.id).where(outbox.c.state == State.PENDING)
    async with engine.connect() as connection:
        return set(await connection.scalars(query.where(outbox.c.lease.is_not(None)) if leased else query))


def first_arrivals(received: Iterable[Received]) -> Sequence[Any]:
    """Return each event once, in the order of their first arrival; fail if a repeated one differs."""
    found = dict[str, Received]()
    for one in received:
        first = found.setdefault(one.id, one)
        assert one.body == first.body, f"{one.id} came with another payload"
    return [one.payload for one in found.values()]


def check_deliveries(received: Sequence[Received], told: Committed) -> None:
    """Check that the receiver heard each committed change, in the order of its user's changes."""
    heard = defaultdict[str, list[str]](list)
    logins = 0
    for payload in first_arrivals(received):
        logins += payload["type"] == "login.completed"
        if payload["type"] != "login.completed":
            heard[payload["data"]["user_id"]].append(payload["type"])
    assert dict(heard) == told.changes
    assert logins == told.logins
    assert told.states.keys() <= {State.DELIVERED}, told.states
