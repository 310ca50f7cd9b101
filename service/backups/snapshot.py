"""Copies of the embedded SQLite: made while the service writes, and checked before they are used."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import migrations
from service.backups.manifest import BackupError

_MOST_FAULTS: Final = 10
_FOREIGN: Final = "SELECT type || ' ' || name FROM sqlite_schema WHERE coalesce(rootpage, 0) = 0 LIMIT 1"
"""Triggers, views and virtual tables, which run code that the file brings along."""
_REVISION: Final = "SELECT version_num FROM alembic_version"


def take(source: Path, copy: Path) -> None:
    """Copy the database *source* as it is at one moment to *copy*, one file without journals.

    In WAL mode, reading the whole file in one step holds up no writer. Raises BackupError.
    """
    with _errors(source), closing(_opened(source)) as live, closing(sqlite3.connect(copy)) as target:
        live.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def revision(file: Path) -> str:
    """Return the schema revision of the database *file*. Raises BackupError."""
    with _errors(file), closing(_opened(file)) as database:
        found = database.execute(_REVISION).fetchall()
    if len(found) != 1:
        raise BackupError("the database has no schema revision")
    return str(found[0][0])


def check(file: Path) -> None:
    """Check the structure and the schema revision of the database *file*. Raises BackupError."""
    with _errors(file), closing(_opened(file)) as database:
        database.execute("PRAGMA trusted_schema=OFF")
        if foreign := database.execute(_FOREIGN).fetchone():
            raise BackupError(f"the database has a {foreign[0]}, which scanbind never creates")
        found = [row[0] for row in database.execute(f"PRAGMA integrity_check({_MOST_FAULTS})")]
    if found != ["ok"]:
        raise BackupError(*(f"the database is damaged: {' '.join(fault.split())}" for fault in found))
    if not migrations.knows(there := revision(file)):
        raise BackupError(
            f"its schema revision {there} is not known to this version ({migrations.head()}): use a newer scanbind"
        )


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackupError(f"{file}: {error}") from error
