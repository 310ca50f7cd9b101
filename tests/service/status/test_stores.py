"""The state of the stores, of every database, as an operator reads it: nothing is created or migrated."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from config_files import tree
from hooked import SECRET
from outgoing import NOW, claimed, settled, write
from redis.asyncio import Redis

import migrations
from models.errors import StoreUnavailable
from models.outbox import State, notice_target, webhook_target
from models.tables.outbox import outbox
from models.ticket import Purpose
from models.webhook import WebhookEvent
from service.config.settings import Settings, validate
from service.crypto.field_encryption import FieldCipher
from service.outbox.outbox import About
from service.outbox.subscriptions import build_outbox
from service.pushes.last_pushes import LastPushes
from service.rate_limiting.qr_quota import QrQuota
from service.status.stores import read_database, read_redis
from service.storage.database import Database

URL = "https://shop.example/hooks"
CIPHER = FieldCipher.of([])
MOMENT = datetime(2026, 11, 30, 4, tzinfo=UTC)


def configured(folder: Path, **changes: Any) -> Settings:
    return validate(
        tree(clients__shop__webhooks=[{"url": URL, "secret": SECRET}], secret_key="k" * 40, **changes)
        | {"data_dir": str(folder)}
    )


async def test_the_database_tells_its_product_its_schema_and_the_webhooks_that_wait(
    database: Database, url: str, tmp_path: Path
) -> None:
    settings = configured(tmp_path, database__url=url)
    box = build_outbox(settings, CIPHER)
    for number in range(3):
        await write(
            database,
            box,
            WebhookEvent.BINDING_CREATED,
            at=NOW,
            about=About(user_id=f"{number}", follower_id=number),
        )
    messages = await claimed(database, CIPHER, target=webhook_target("shop", URL))
    await settled(database, CIPHER, messages[0], state=State.DEAD, due_at=NOW, status=500, answer=b"")
    notice = sa.update(outbox).where(outbox.c.message == messages[1].id).values(target=notice_target("shop"))
    await database.attempt(lambda connection: connection.execute(notice))
    state = await read_database(settings)
    assert state.webhooks == {"pending": 1, "dead": 1}, "a notice is no webhook"
    assert state.schema == state.schema_needed == migrations.head()
    name, _, version = state.product.partition(" ")
    assert name in ("SQLite", "PostgreSQL", "MariaDB", "MySQL")
    assert version[0].isdigit()
    assert 0 <= state.milliseconds < 2000


async def test_an_older_schema_is_read_and_not_migrated(tmp_path: Path) -> None:
    """Red when the state is read over a connection that migrates the embedded database."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'scanbind.sqlite3'}")
    with engine.begin() as connection:
        migrations.upgrade(connection)
        first = migrations.current(connection)
    state = await read_database(configured(tmp_path))
    assert (state.schema, state.webhooks) == (first, None)
    with engine.begin() as connection:
        assert migrations.current(connection) == first != migrations.head()
    engine.dispose()


async def test_nothing_is_created_where_nothing_is(tmp_path: Path) -> None:
    """Red when the embedded stores are opened as the service opens them."""
    folder = tmp_path / "none"
    with pytest.raises(StoreUnavailable, match=r"there is none in .*none yet; the first start creates it"):
        await read_database(configured(folder))
    with pytest.raises(StoreUnavailable, match="Redis does not answer"):
        await read_redis(configured(folder), now=MOMENT)
    assert not folder.exists()


async def test_redis_tells_its_product_and_what_it_knows_of_each_account(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    accounts = {
        "second": {
            "appid": "wx0123456789abcdef",
            "token": "t",
            "api": False,
            "mode": "plain",
            "allow_unsigned_body": True,
        }
    }
    values = tree(redis__url=redis_url, secret_key="k" * 40)
    values["accounts"] |= accounts
    settings = validate(values | {"data_dir": str(tmp_path)})
    pushes = LastPushes(redis)
    pushes.saw("main", MOMENT - timedelta(minutes=2))
    await pushes.finish()
    quota = QrQuota(redis, accounts=settings.accounts, clock=lambda: MOMENT)
    async with quota.code("main", Purpose.LOGIN):
        pass
    state = await read_redis(settings, now=MOMENT)
    main, second = state.accounts["main"], state.accounts["second"]
    assert (main.last_push, main.codes_today, main.codes_per_day) == (MOMENT - timedelta(minutes=2), 1, 100_000)
    assert (second.last_push, second.codes_today, second.codes_ended) == (None, None, False)
    assert state.product.startswith("Valkey ")
    assert 0 <= state.milliseconds < 1000
