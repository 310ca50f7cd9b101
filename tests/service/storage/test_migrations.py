"""Migrations lead to the tables that the code works with, on each database."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import migrations
from models.errors import StoreUnavailable
from models.tables.columns import metadata
from service.storage.database import Database, connect, migrate


def _difference(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def _downgrade(connection: sa.Connection) -> None:
    command.downgrade(migrations.config(connection), "base")


async def _empty(database: Database) -> None:
    async with database.writing() as connection:
        if await connection.run_sync(migrations.current):
            await connection.run_sync(_downgrade)


async def test_the_steps_make_what_the_tables_say(database: Database) -> None:
    async with database.reading() as connection:
        assert await connection.run_sync(_difference) == []


async def test_the_steps_can_be_taken_back(database: Database) -> None:
    await _empty(database)
    async with database.reading() as connection:
        assert await connection.run_sync(lambda it: sa.inspect(it).get_table_names()) == ["alembic_version"]
    await database.upgrade()
    await database.check_schema()


async def test_a_database_without_tables_says_what_to_run(database: Database) -> None:
    await _empty(database)
    with pytest.raises(StoreUnavailable, match="revision none, not 0011: run `scanbind migrate`"):
        await database.check_schema()


@pytest.mark.usefixtures("database")  # empty, since sealed people are not taken back
async def test_migrating_says_where_it_got_and_may_be_repeated(url: str, tmp_path: Path) -> None:
    async with connect(url, data_dir=tmp_path) as database:
        await _empty(database)
    settings = SimpleNamespace(database=SimpleNamespace(url=url), data_dir=tmp_path)
    for _ in range(2):
        assert await migrate(settings) == "database is at revision 0011"  # type: ignore[arg-type]  # all it reads


@pytest.mark.usefixtures("database")
async def test_two_may_migrate_at_once(url: str, tmp_path: Path) -> None:
    async with (
        connect(url, data_dir=tmp_path, patient=True) as one,  # as `migrate` does: it may take long
        connect(url, data_dir=tmp_path, patient=True) as other,
    ):
        await _empty(one)
        await asyncio.gather(one.upgrade(), other.upgrade())
        await other.check_schema()


async def test_the_embedded_database_migrates_itself(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "100% here"
    async with connect("embedded", data_dir=folder) as database:
        await database.check_schema()
    assert (folder / "scanbind.sqlite3").exists()
    assert folder.stat().st_mode & 0o777 == 0o700
