"""Events for webhooks are encrypted again with the newest key, beside a sender that settles them.

Red when `reencryption._ROWS` leaves out the outbox, or an event that was settled meanwhile loses its answer.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa
from outgoing import SHOP, claimed, rows, settled, subscribed, told, write

from models.outbox import State
from models.webhook import WebhookEvent
from service.config.settings import Settings, validate
from service.crypto.field_encryption import FieldCipher
from service.identities import reencryption
from service.outbox.outbox import About, answer_to
from service.storage.database import Database

OLD, NEW = "an older key of thirty-two letters or so", "the newer key of thirty-two letters or so"
CREATED = WebhookEvent.BINDING_CREATED


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    keys = {"encryption": {"keys": [NEW, OLD]}, "secret_key": "k" * 40}
    return validate({"data_dir": str(tmp_path), "database": {"url": url}, **keys})


async def test_events_and_answers_move_to_the_newest_key(database: Database, settings: Settings) -> None:
    old, new = FieldCipher.of([OLD]), FieldCipher.of([NEW])
    for number in range(3):
        about = About(user_id=f"{number}", follower_id=number)
        await write(database, subscribed(old, shop=SHOP), CREATED, about=about)
    first, *_ = await claimed(database, old)
    await settled(database, old, first, answer=b"thank you")
    await reencryption.encrypt(settings)
    found = await rows(database)
    assert {row["sealed_by"] for row in found} == {new.newest}
    assert [data["user_id"] for _, data in await told(database, new)] == ["0", "1", "2"]
    assert new.unseal(found[0]["answer"], about=answer_to(first.id), by=new.newest) == b"thank you"


async def test_an_event_that_was_erased_is_left_without_payload(database: Database, settings: Settings) -> None:
    await write(database, subscribed(FieldCipher.of([OLD]), shop=SHOP), CREATED)
    await database.attempt(
        lambda connection: connection.execute(sa.text("UPDATE outbox SET payload = NULL, state = 'delivered'"))
    )
    await reencryption.encrypt(settings)
    (row,) = await rows(database)
    assert (row["payload"], row["state"]) == (None, State.DELIVERED)
    assert row["sealed_by"] == FieldCipher.of([NEW]).newest


async def test_a_sender_that_claimed_before_settles_under_the_newest_key(
    database: Database, settings: Settings
) -> None:
    old, both = FieldCipher.of([OLD]), FieldCipher.of([NEW, OLD])
    await write(database, subscribed(old, shop=SHOP), CREATED, about=About(user_id="42", follower_id=1))
    (message,) = await claimed(database, both)
    await reencryption.encrypt(settings)
    assert await settled(database, both, message, answer=b"thank you")
    assert [data["user_id"] for _, data in await told(database, FieldCipher.of([NEW]))] == ["42"]
    (row,) = await rows(database)
    assert both.unseal(row["answer"], about=answer_to(message.id), by=row["sealed_by"]) == b"thank you"
