"""What the doctor says about real PostgreSQL and MariaDB servers that an operator configured wrongly.

Red when one of these faults is not found, or when a server without fault is warned of.

Covers: service.doctor.file_systems.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.doctor.database_server import server_findings
from service.doctor.file_systems import sqlite_findings
from service.doctor.finding import Finding
from service.storage.database import Database, connect

Run = Callable[[str], Awaitable[None]]
FSYNC = "fsync is off: confirmed bindings may be lost in a power failure"
FLUSHED = "innodb_flush_log_at_trx_commit is not 1: confirmed bindings may be lost in a power failure"
"""The tests' own servers are so, to be fast."""


async def faults(database: Database) -> list[Finding]:
    found = await database.read(server_findings)
    assert all(one.remedy for one in found)
    return [one for one in found if one.message not in (FSYNC, FLUSHED)]


@asynccontextmanager
async def changed(database: Database, *statements: str, undone: str) -> AsyncIterator[None]:
    async def run(*texts: str) -> None:
        async with database.reading() as connection:
            for text in texts:
                await connection.execute(sa.text(text))
            await connection.commit()

    await run(*statements)
    try:
        yield
    finally:
        await run(undone)


async def test_a_good_database_has_no_fault(database: Database) -> None:
    assert await faults(database) == []


async def test_the_tests_servers_without_fsync_are_found(database: Database, url: str) -> None:
    messages = {one.message for one in await database.read(server_findings)}
    assert messages == (set() if url.startswith("sqlite") else {FSYNC if "postgresql" in url else FLUSHED})


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        (
            "ALTER TABLE bindings MODIFY user_id VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL",
            "ALTER TABLE bindings MODIFY user_id VARBINARY(512) NOT NULL",
            "bindings.user_id is varchar: identifiers that differ in case or accents are taken for the same",
        ),
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", "is read-only: a replica, perhaps"),
        (
            "SET GLOBAL sql_mode = ''",
            "SET GLOBAL sql_mode = DEFAULT",
            "sql_mode is not strict: values that are too long are cut off",
        ),
    ],
    ids=["collation", "read-only", "not strict"],
)
async def test_a_mariadb_that_compares_loses_or_refuses_values_is_found(
    mariadb: str, tmp_path: Path, *, wrong: str, right: str, told: str
) -> None:
    async with connect(mariadb, data_dir=tmp_path) as database:
        await database.upgrade()
        async with changed(database, wrong, undone=right), connect(mariadb, data_dir=tmp_path) as anew:
            [found] = await faults(anew)
    assert found.message == told


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SET default_transaction_read_only = on", "default_transaction_read_only is on, so every write fails"),
        (
            "SET synchronous_commit = off",
            "synchronous_commit is off: confirmed bindings may be lost in a power failure",
        ),
    ],
    ids=["read-only", "asynchronous commits"],
)
async def test_a_setting_of_the_database_that_endangers_writes_is_found(
    postgresql: str, tmp_path: Path, *, statement: str, told: str
) -> None:
    async with odd_postgresql(postgresql, tmp_path, "ENCODING 'UTF8'") as (database, alter):
        await alter(f"ALTER DATABASE odd {statement}")
        [found] = await faults(database)
    assert found.message == told


async def test_a_postgresql_that_cannot_hold_every_letter_is_found(postgresql: str, tmp_path: Path) -> None:
    async with odd_postgresql(postgresql, tmp_path, "ENCODING 'LATIN1'") as (database, _):
        [found] = await faults(database)
    assert (found.ok, found.message) == (False, "its encoding is LATIN1, which cannot hold every name")


@asynccontextmanager
async def odd_postgresql(
    url: str, folder: Path, options: str
) -> AsyncIterator[tuple[Database, Callable[..., object]]]:
    """Create a database beside that of the tests; give it, and what runs a statement outside of it."""
    server = sa.make_url(url)
    odd = server.set(database="odd").render_as_string(hide_password=False)
    async with connect(url, data_dir=folder) as outside:

        async def alter(statement: str) -> None:
            async with outside.reading() as connection:  # in autocommit
                await connection.execute(sa.text(statement))

        await alter(f"CREATE DATABASE odd {options} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try:
            async with connect(odd, data_dir=folder) as database:
                yield database, alter
        finally:
            await alter("DROP DATABASE odd")


MOUNTS = r"""22 1 0:20 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw shared:1 - nfs4 server:/export rw
31 30 0:41 / /srv/local\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /mnt rw - fuse.sshfs user@host:/ rw
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/scanbind/db.sqlite3", "nfs4"),
        ("/mnt/db.sqlite3", "fuse.sshfs"),
        ("/srv/local disk/db.sqlite3", None),
        ("/srvother/db.sqlite3", None),
    ],
)
def test_sqlite_on_a_network_file_system_is_warned_of(file: str, kind: str | None) -> None:
    found = [one.message for one in sqlite_findings(Path(file), MOUNTS)]
    expected = f"{file} is on a network file system ({kind}), where SQLite's locks may fail"
    assert found == ([expected] if kind else [])
