"""Databases with all tables and no rows. An SQLite file is migrated once and copied: migrating takes long."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

import migrations
from models.tables.columns import metadata
from service.storage.database import Database


@cache
def _content() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sqlite3"
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            while migrations.upgrade(connection):
                pass
        engine.dispose()
        return file.read_bytes()


def put_migrated(file: Path) -> None:
    """Make *file* an SQLite database with all tables and no rows, unless there is a file."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(_content())


async def empty_tables(database: Database) -> Database:
    """Migrate *database*, delete all rows, and return it."""
    await database.upgrade()
    async with database.writing() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(sa.delete(table))
    return database
