"""Events in the outbox, for the tests that write, claim and settle them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from models.outbox import State
from models.tables.outbox import outbox
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.outbox import queue
from service.outbox.outbox import About, Outbox, Subscription, payload_of
from service.outbox.queue import Message, Settlement
from service.storage.database import Database
from service.storage.inserting import appending

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP, OTHER, BOSS = "shop-endpoint", "other-endpoint", "operator-endpoint"
EVERY: Final = frozenset(WebhookEvent)


def subscribed(cipher: FieldCipher, **targets: str) -> Outbox:
    """Return an outbox whose clients hear of every event; by client, their target."""
    return Outbox(cipher, {client: [Subscription(target, EVERY)] for client, target in targets.items()})


async def write(
    database: Database,
    box: Outbox,
    *events: WebhookEvent,
    client: str | None = "shop",
    at: datetime = NOW,
    about: About = About(),  # noqa: B008 - frozen
) -> None:
    """Commit events in one transaction."""

    def work(connection: sa.Connection) -> None:
        with appending(connection) as rows:
            for event in events:
                box.add(rows, event, client=client, data={"user_id": about.user_id}, at=at, about=about)

    await database.attempt(work)


async def due(database: Database, target: str = SHOP, *, now: datetime = NOW, limit: int = 10) -> list[int]:
    return await database.read(partial(queue.claimable, target=target, now=now, limit=limit))


async def claimed(
    database: Database, cipher: FieldCipher, lease: str = "one", *, target: str = SHOP, now: datetime = NOW
) -> list[Message]:
    """Claim all that is due of a target."""
    numbers = await due(database, target, now=now)
    claim = partial(queue.claim, numbers=numbers, lease=lease, now=now, cipher=cipher)
    return await database.attempt(claim)


async def settled(
    database: Database, cipher: FieldCipher, message: Message, lease: str = "one", **how: Any
) -> bool:
    settlement = Settlement(**{"state": State.DELIVERED, "at": NOW} | how)
    return await database.attempt(
        partial(queue.settle, message=message, settled=settlement, lease=lease, cipher=cipher)
    )


async def told(database: Database, cipher: FieldCipher) -> list[tuple[str, dict[str, Any]]]:
    """Return type and data of all events, in their order; those without a payload with empty data."""
    columns = outbox.c
    query = sa.select(columns.message, columns.event, columns.payload, columns.sealed_by).order_by(columns.id)
    found = []
    for message, event, payload, by in await database.read(lambda connection: connection.execute(query).all()):
        opened = cipher.unseal(payload, about=payload_of(message), by=by) if payload else b'{"data":{}}'
        found.append((event, json.loads(opened)["data"]))
    return found


async def rows(database: Database) -> list[Mapping[str, Any]]:
    """Return the rows of the outbox, in their order."""
    query = sa.select(outbox).order_by(outbox.c.id)
    return [
        dict(row) for row in await database.read(lambda connection: connection.execute(query).mappings().all())
    ]
