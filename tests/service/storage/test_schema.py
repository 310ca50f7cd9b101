"""A database that a newer scanbind has migrated is left alone, and its operator is told so.

Red when an older scanbind tries to migrate it, or says that it should be migrated.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.database import Database, connect
from service.storage.schema import NewerSchema

TOLD = (
    "the database is at revision 9999, which this version of scanbind does not know: "
    "start the newer version, or restore a backup"
)


async def test_a_newer_database_is_neither_used_nor_migrated(database: Database) -> None:
    async with database.reading() as connection:
        old = await connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    await put_revision(database, "9999")
    try:
        for attempt in (database.check_schema, database.upgrade):
            with pytest.raises(NewerSchema, match=TOLD):
                await attempt()
    finally:
        await put_revision(database, str(old))
    await database.check_schema()


async def put_revision(database: Database, revision: str) -> None:
    async with database.writing() as connection:
        await connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{revision}'"))


async def test_the_embedded_database_of_a_newer_scanbind_is_not_opened(tmp_path: Path) -> None:
    async with connect("embedded", data_dir=tmp_path) as database:
        await put_revision(database, "9999")
    with pytest.raises(NewerSchema, match=TOLD):
        async with connect("embedded", data_dir=tmp_path):
            pass
