"""SQLite, PostgreSQL and MariaDB: every test that takes `database` runs on each of them.

SQLite is always there. PostgreSQL comes from a package (tests/conftest.py), MariaDB from the machine; either may
be given instead by its address (POSTGRES_TEST_URL, MARIADB_TEST_URL), whose tables are emptied.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from migrated import empty_tables, put_migrated

from models.tables.columns import metadata
from service.bindings.repository import Bindings
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database, connect
from service.tickets.bind_requests import BindRequests
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

_START = 60  # seconds a server may take to start


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    if given := os.environ.get("MARIADB_TEST_URL"):
        yield given
        return
    binary = shutil.which("mariadbd") or shutil.which("mysqld", path=f"{os.environ['PATH']}:/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if not binary or not install:
        pytest.skip("no MariaDB on this machine (mariadbd, mariadb-install-db), no MARIADB_TEST_URL")
    folder = Path(tempfile.mkdtemp(prefix="scanbind-maria-"))
    try:
        with _mariadb(binary, install, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _mariadb:  # noqa: N801 - used as a function
    def __init__(self, binary: str, install: str, folder: Path) -> None:
        self._socket = folder / "socket"
        # Its own tmpdir: a server that starts deletes the temporary tables of others in a shared one.
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        common += ["--user=root"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True,
            text=True,
            timeout=_START,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"MariaDB does not start here: {made.stdout[-300:]} {made.stderr[-300:]}")
        self._log = (folder / "log").open("wb")
        self._server = subprocess.Popen(
            [
                binary,
                *common,
                f"--socket={self._socket}",
                f"--pid-file={folder / 'pid'}",
                "--skip-networking",
                "--innodb-buffer-pool-size=32M",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> str:
        until = time.monotonic() + _START
        while time.monotonic() < until and self._server.poll() is None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self._socket))
                break
            time.sleep(0.05)
        base = f"mariadb+asyncmy://root@localhost/{{}}?unix_socket={self._socket}"
        asyncio.run(_execute(base.format("mysql"), "CREATE DATABASE scanbind CHARACTER SET utf8mb4"))
        return base.format("scanbind")

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()


async def _execute(url: str, *statements: str) -> None:
    async with connect(url, data_dir=Path()) as database, database.writing() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with any content."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}"
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with all tables and no rows, which a busy machine may take long to ask."""
    if url.startswith("sqlite"):
        put_migrated(Path(url.partition("///")[2]))
    async with connect(url, data_dir=tmp_path, patient=True) as opened:
        yield await empty_tables(opened)


KEY = "an encryption key of the tests, long enough"


@pytest.fixture(params=[(), (KEY,)], ids=["clear", "sealed"])
def identities(request: pytest.FixtureRequest) -> Identities:
    """Followers stored in the clear, and encrypted; the behaviour must be the same."""
    return Identities(FieldCipher.of(request.param))


@pytest.fixture
def endings(database: Database, identities: Identities) -> Endings:
    return Endings(database, identities)


@pytest.fixture
def decisions(database: Database, identities: Identities, endings: Endings) -> TicketDecisions:
    return TicketDecisions(database, identities, Followers(database, identities), endings)


@pytest.fixture
def bindings(database: Database, identities: Identities) -> Bindings:
    return Bindings(database, identities)


@pytest.fixture
def followers(database: Database, identities: Identities) -> Followers:
    return Followers(database, identities)


@pytest.fixture
def erasure(database: Database, identities: Identities) -> FollowerErasure:
    return FollowerErasure(database, identities)


@pytest.fixture
def requests(database: Database) -> BindRequests:
    return BindRequests(database)


@pytest.fixture
def dump(database: Database) -> Any:
    """Return the content of all tables as text, to search it for what must not be stored."""

    async def read() -> str:
        async with database.reading() as connection:
            rows = [(await connection.execute(sa.select(it))).all() for it in metadata.sorted_tables]
        return repr(rows)

    return read
