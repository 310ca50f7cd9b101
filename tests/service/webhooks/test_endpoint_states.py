"""What is known against an endpoint is one row, also if several processes fail at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from outgoing import NOW, OTHER, SHOP, claimed, rows, settled, subscribed, write

from models.outbox import EndpointFault, State
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.storage.database import Database
from service.webhooks.endpoint_states import clear_state, hold_state, read_state, try_all, write_state
from service.webhooks.schedule import EndpointState

LATER = NOW + timedelta(hours=1)


async def state(database: Database, target: str = SHOP) -> EndpointState | None:
    return await database.read(lambda connection: read_state(connection, target))


async def test_an_endpoint_without_a_row_is_not_known(database: Database) -> None:
    assert await state(database) is None


async def test_a_state_is_kept_whole(database: Database) -> None:
    whole = EndpointState(12, NOW, EndpointFault.FAILING, LATER, LATER)

    def work(connection: sa.Connection) -> None:
        assert hold_state(connection, SHOP) == EndpointState()
        write_state(connection, SHOP, whole)

    await database.attempt(work)
    assert await state(database) == whole
    assert await state(database, OTHER) is None
    await database.attempt(lambda connection: clear_state(connection, SHOP))
    assert await state(database) is None


async def test_failures_at_once_are_all_counted(database: Database) -> None:
    """Red when `hold_state` locks nothing."""

    def work(connection: sa.Connection) -> None:
        known = hold_state(connection, SHOP)
        write_state(connection, SHOP, replace(known, failures=known.failures + 1))

    for _ in range(3):
        await asyncio.gather(*(database.attempt(work) for _ in range(4)))
    assert await state(database) == EndpointState(failures=12)


async def test_all_that_waits_for_an_endpoint_becomes_due(database: Database) -> None:
    cipher = FieldCipher.of([])
    box = subscribed(cipher, shop=SHOP, other=OTHER)
    for client in ("shop", "shop", "other"):
        await write(database, box, WebhookEvent.LOGIN_COMPLETED, client=client)
    for target in (SHOP, OTHER):
        for message in await claimed(database, cipher, target=target):
            await settled(database, cipher, message, state=State.PENDING, due_at=LATER)
    assert await database.attempt(lambda connection: try_all(connection, SHOP, now=NOW)) == 2
    assert [row["due_at"] for row in await rows(database)] == [NOW, NOW, LATER]
