"""What the operator's commands read and change, on every database: only what was meant, and it is audited."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from config_files import tree
from hooked import SECRET
from outgoing import NOW, claimed, rows, settled, write

from models.outbox import EndpointFault, State, webhook_target
from models.tables.audit import audit
from models.tables.outbox import outbox
from models.webhook import WebhookEvent
from service.config.settings import ConfigError, Settings, validate
from service.crypto.field_encryption import FieldCipher
from service.outbox.outbox import About
from service.outbox.subscriptions import build_outbox
from service.storage.database import Database
from service.webhooks import administration
from service.webhooks.administration import Deliveries
from service.webhooks.endpoint_states import hold_state, read_state, write_state
from service.webhooks.schedule import EndpointState

URL = "https://shop.example/hooks?token=Xk9Vw3Jq8Zp5"
TARGET = webhook_target("shop", URL)
LATER = NOW + timedelta(hours=1)
CIPHER = FieldCipher.of([])
CREATED = WebhookEvent.BINDING_CREATED


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    values = tree(clients__shop__webhooks=[{"url": URL, "secret": SECRET}])
    return validate(values | {"secret_key": "k" * 40, "database": {"url": url}, "data_dir": str(tmp_path)})


@pytest.fixture
async def three(database: Database, settings: Settings) -> list[str]:
    """Three events an hour apart: delivered, dead, and pending; return their ids."""
    box = build_outbox(settings, CIPHER)
    for number in range(3):
        at = NOW - timedelta(hours=3 - number)
        await write(database, box, CREATED, at=at, about=About(user_id=f"{number}", follower_id=number))
    for message, state in zip(
        await claimed(database, CIPHER, target=TARGET), (State.DELIVERED, State.DEAD, State.PENDING), strict=True
    ):
        await settled(database, CIPHER, message, state=state, due_at=LATER, status=500, answer=b"sorry")
    return [row["message"] for row in await rows(database)]


async def pending(database: Database) -> list[str]:
    """Return the ids of what is due."""
    return [row["message"] for row in await rows(database) if row["state"] is State.PENDING]


async def audited(database: Database) -> list[tuple[str, str | None, str | None]]:
    query = sa.select(audit.c.event, audit.c.client, audit.c.detail).order_by(audit.c.id)
    found = await database.read(lambda connection: connection.execute(query).all())
    return [(event, client, detail) for event, client, detail in found]


async def test_a_delivery_is_shown_with_its_answer_and_without_its_payload(
    settings: Settings, three: list[str]
) -> None:
    lines = await administration.list_deliveries(settings, Deliveries(), limit=10)
    assert [json.loads(line)["id"] for line in lines] == three
    assert json.loads(lines[2]) == {
        "id": three[2],
        "client": "shop",
        "url": "https://shop.example/hooks",
        "event": "binding.created",
        "state": "pending",
        "at": "2026-03-01T11:00:00Z",
        "tries": 1,
        "tried_at": "2026-03-01T12:00:00Z",
        "next_try": "2026-03-01T13:00:00Z",
        "status": 500,
        "answer": "sorry",
    }
    assert "Xk9V" not in "".join(lines)


@pytest.mark.parametrize(
    ("wanted", "limit", "found"),
    [
        ({}, 2, [1, 2]),
        ({"since": NOW - timedelta(hours=2)}, 10, [1, 2]),
        ({"state": State.DEAD}, 10, [1]),
        ({"client": "shop", "state": State.DELIVERED}, 10, [0]),
        ({"id": "msg_unknown"}, 10, []),
    ],
    ids=["the last", "since", "dead", "delivered", "unknown"],
)
async def test_deliveries_are_chosen(
    settings: Settings, three: list[str], wanted: dict[str, Any], limit: int, found: list[int]
) -> None:
    lines = await administration.list_deliveries(settings, Deliveries(**wanted), limit=limit)
    assert [json.loads(line)["id"] for line in lines] == [three[number] for number in found]


@pytest.mark.parametrize(
    ("wanted", "again"),
    [
        ({"since": NOW - timedelta(days=1)}, [0, 1]),
        ({"since": NOW - timedelta(days=1), "state": State.DEAD}, [1]),
        ({"since": NOW - timedelta(hours=2)}, [1]),
    ],
    ids=["all", "dead", "since"],
)
async def test_what_was_settled_is_delivered_again(
    database: Database, settings: Settings, three: list[str], wanted: dict[str, Any], again: list[int]
) -> None:
    assert await administration.replay(settings, Deliveries(**wanted), now=NOW) == len(again)
    assert await pending(database) == [three[number] for number in sorted({*again, 2})]
    found = {row["message"]: row for row in await rows(database)}
    assert all((found[three[it]]["tries"], found[three[it]]["due_at"]) == (0, NOW) for it in again)
    assert found[three[2]]["due_at"] == LATER
    ((event, _, detail),) = await audited(database)
    assert (event, (detail or "").split(" ")[0]) == ("webhooks_replayed", str(len(again)))


async def test_what_was_erased_is_not_delivered_again(
    database: Database, settings: Settings, three: list[str]
) -> None:
    await database.attempt(lambda connection: connection.execute(sa.update(outbox).values(payload=None)))
    assert await administration.replay(settings, Deliveries(id=three[0]), now=NOW) == 0
    assert await pending(database) == [three[2]]
    assert await audited(database) == []


@pytest.mark.usefixtures("three")
async def test_an_id_that_no_event_has_is_replayed_without_a_record(
    database: Database, settings: Settings
) -> None:
    """Red when an id longer than any ends in an error of the database."""
    assert await administration.replay(settings, Deliveries(id="x" * 400), now=NOW) == 0
    assert await audited(database) == []


@pytest.mark.usefixtures("three")
async def test_an_endpoint_that_is_enabled_takes_all_that_waits_at_once(
    database: Database, settings: Settings
) -> None:
    def disable(connection: sa.Connection) -> None:
        hold_state(connection, TARGET)
        write_state(connection, TARGET, EndpointState(1, NOW, EndpointFault.GONE, NOW))

    await database.attempt(disable)
    (line,) = await administration.list_endpoints(settings, client="shop")
    assert " disabled=gone since=2026-03-01T12:00:00Z pending=1 delivered=1 dead=1 " in line
    assert "Xk9V" not in line
    assert await administration.enable(settings, client="shop", url=URL, now=NOW) == 1
    assert await database.read(lambda connection: read_state(connection, TARGET)) is None
    assert (await rows(database))[2]["due_at"] == NOW
    assert await audited(database) == [("webhook_enabled", "shop", None)]


async def test_an_unknown_client_or_address_is_refused(database: Database, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="--client: must be one of: shop"):
        await administration.list_endpoints(settings, client="blog")
    with pytest.raises(ConfigError, match="--client: must be one of: shop"):
        await administration.replay(settings, Deliveries(client="blog", id="x"), now=NOW)
    for client, url in (("shop", URL + "x"), (None, URL)):
        with pytest.raises(ConfigError, match="--url: is not configured under"):
            await administration.enable(settings, client=client, url=url, now=NOW)
    assert await audited(database) == []
