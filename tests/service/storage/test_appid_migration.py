"""The migration to appids keeps every follower, forwards and backwards, and lets an older service go on.

Red when 0006 gives the column no default, or leaves the sequence of SQLite's copied table alone.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

import migrations
from models.events import OpenId
from models.tables.identities import followers as table
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Follower, Followers
from service.identities.repository import Identities
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN = OpenId("oAnna"), OpenId("oBen")
KEY = "an encryption key of the tests, long enough"
BEFORE = (
    "account",
    "openid",
    "openid_sealed",
    "unionid",
    "unionid_sealed",
    "sealed_by",
    "subscribed",
    "followed_at",
)


@pytest.fixture(params=[(), (KEY,)], ids=["clear", "sealed"])
def cipher(request: pytest.FixtureRequest) -> FieldCipher:
    return FieldCipher.of(request.param)


async def step_back(database: Database) -> None:
    async with database.writing() as connection:
        await connection.run_sync(lambda it: command.downgrade(migrations.config(it), "0005"))


async def add_as_before(database: Database, cipher: FieldCipher, openid: OpenId) -> None:
    """Insert a follower as version 0.1.0 does, which knows no appid."""
    names = Identities(cipher).names("main", openid, f"u{openid}")
    row: dict[str, Any] = {"account": "main", **names, "subscribed": True, "followed_at": NOW}
    await _execute(database, sa.insert(table).values({name: row[name] for name in BEFORE}))


async def _execute(database: Database, statement: Any) -> None:
    async with database.writing() as connection:
        await connection.execute(statement)


async def test_followers_from_before_are_known_and_belong_to_the_configured_appid(
    database: Database, cipher: FieldCipher
) -> None:
    await step_back(database)
    await add_as_before(database, cipher, ANNA)
    await database.upgrade()
    await add_as_before(database, cipher, BEN)  # by a process that still runs
    followers = Followers(database, Identities(cipher, {"main": "wxNow"}))
    for openid in (ANNA, BEN):
        expected = Follower("main", openid, subscribed=True, unionid=f"u{openid}", appid="wxNow")
        assert await followers.get("main", openid) == expected
    async with database.reading() as connection:
        assert set(await connection.scalars(sa.select(table.c.appid))) == {""}
    await step_back(database)
    await database.upgrade()
    assert await followers.get("main", ANNA) is not None


async def test_ids_of_erased_followers_stay_unused(database: Database, cipher: FieldCipher) -> None:
    for openid in (ANNA, BEN):
        await add_as_before(database, cipher, openid)
    async with database.reading() as connection:
        last = await connection.scalar(sa.select(sa.func.max(table.c.id)))
    await _execute(database, sa.delete(table).where(table.c.id == last))
    await step_back(database)
    await database.upgrade()
    await add_as_before(database, cipher, BEN)
    async with database.reading() as connection:
        assert (await connection.scalar(sa.select(sa.func.max(table.c.id))) or 0) > (last or 0)


async def test_a_step_that_was_interrupted_after_its_statement_is_finished(database: Database) -> None:
    """Red when `_one_statement` of 0006 does not look for the column (MariaDB cannot roll it back)."""
    if database._engine.dialect.name not in ("mysql", "mariadb"):
        pytest.skip("the others roll back")
    await _execute(database, sa.text("UPDATE alembic_version SET version_num = '0005'"))
    await database.upgrade()
    await database.check_schema()
