"""Transactions on each database, and their failures.

Covers: service.storage.driver_errors.
"""

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError, StatementError
from sqlalchemy.util import await_only

from models.errors import StoreUnavailable
from models.tables.bindings import bindings
from models.tables.columns import to_millisecond
from models.tables.identities import followers
from service.storage import database as module
from service.storage.database import Database, connect

NOW = datetime(2026, 3, 1, 12, 0, 0, 123999, tzinfo=UTC)
ANNA = {"account": "main", "openid": "oAnna", "subscribed": True, "followed_at": NOW}
BEN = ANNA | {"openid": "oBen"}


def _dialect(database: Database) -> str:
    return database._engine.dialect.name


async def _openids(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(sa.select(followers.c.openid).order_by(followers.c.openid)))


async def test_a_write_stands_when_its_block_ends(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(sa.insert(followers).values(ANNA))
    assert await _openids(database) == ["oAnna"]


async def test_a_single_statement_stands_when_it_returns(database: Database) -> None:
    """Red when it runs in a connection that neither commits by itself nor is told to."""
    tries = 0

    def work(connection: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        connection.execute(sa.insert(followers).values(ANNA))

    await database.attempt(work, single=True)
    assert (await _openids(database), tries) == (["oAnna"], 1)
    with pytest.raises(IntegrityError):
        await database.attempt(work, single=True)
    assert (await _openids(database), tries) == (["oAnna"], 2)


async def test_an_exception_takes_back_the_whole_write(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(followers).values(ANNA))
        raise KeyError

    with pytest.raises(KeyError):
        await database.attempt(work)
    assert await _openids(database) == []


async def test_a_refused_insert_in_a_savepoint_leaves_the_rest_standing(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(sa.insert(followers).values(ANNA))
        savepoint = await connection.begin_nested()
        await connection.execute(sa.insert(followers).values(BEN))
        with pytest.raises(IntegrityError):
            await connection.execute(sa.insert(followers).values(ANNA))
        await savepoint.rollback()
    assert await _openids(database) == ["oAnna"]


async def test_what_a_reader_writes_is_not_kept(database: Database) -> None:
    if _dialect(database) == "postgresql":
        pytest.skip("a reader of this server has no transaction")
    async with database.reading() as connection:
        await connection.execute(sa.insert(followers).values(ANNA))
    assert await _openids(database) == []


async def test_a_violated_constraint_is_no_outage_and_names_no_person(database: Database) -> None:
    def twice(connection: sa.Connection) -> None:
        connection.execute(sa.insert(followers).values(ANNA))
        connection.execute(sa.insert(followers).values(ANNA))

    with pytest.raises(IntegrityError) as caught:
        await database.attempt(twice)
    assert "hidden" in str(caught.value)
    assert caught.value.hide_parameters


async def test_a_wrong_statement_is_no_outage(database: Database) -> None:
    with pytest.raises((ProgrammingError, sa.exc.OperationalError, StoreUnavailable)) as caught:
        async with database.reading() as connection:
            await connection.execute(sa.text("SELECT nothing FROM nowhere"))
    if _dialect(database) != "sqlite":  # SQLite reports every fault of a statement as operational
        assert isinstance(caught.value, ProgrammingError)


async def test_the_database_answers_a_ping(database: Database) -> None:
    await database.ping()


async def test_instants_come_back_to_the_millisecond_and_aware(database: Database) -> None:
    early = datetime(1969, 12, 31, 23, 59, 59, 999500, tzinfo=UTC)
    elsewhere = NOW.astimezone(tz=None)
    for openid, at in (("oA", NOW), ("oB", early), ("oC", elsewhere)):
        async with database.writing() as connection:
            await connection.execute(sa.insert(followers).values(ANNA | {"openid": openid, "followed_at": at}))
    async with database.reading() as connection:
        kept = list(await connection.scalars(sa.select(followers.c.followed_at).order_by(followers.c.openid)))
    assert kept == [to_millisecond(NOW), to_millisecond(early), to_millisecond(NOW)]
    assert kept[0].microsecond == 123000
    assert {at.utcoffset() for at in kept} == {timedelta()}


async def test_a_naive_instant_is_refused(database: Database) -> None:
    naive = sa.insert(followers).values(ANNA | {"followed_at": NOW.replace(tzinfo=None)})
    async with database.writing() as connection:
        with pytest.raises(StatementError, match="offset-naive"):
            await connection.execute(naive)


@pytest.mark.parametrize("in_savepoint", [False, True])
async def test_two_who_lock_each_other_out_both_finish(database: Database, in_savepoint: bool) -> None:
    if _dialect(database) == "sqlite":
        pytest.skip("SQLite has one writer at a time: no deadlock is possible")
    async with database.writing() as connection:
        await connection.execute(sa.insert(followers), [ANNA, BEN])
    met = asyncio.Barrier(2)
    runs: list[str] = []

    async def cross(first: str, second: str) -> None:
        def work(connection: sa.Connection) -> None:
            runs.append(first)
            for openid in (first, second):
                with connection.begin_nested() if in_savepoint else nullcontext():
                    them = sa.update(followers).where(followers.c.openid == openid)
                    connection.execute(them.values(subscribed=sa.not_(followers.c.subscribed)))
                if len(runs) <= 2 and openid == first:
                    await_only(met.wait())

        await database.attempt(work)

    await asyncio.gather(cross("oAnna", "oBen"), cross("oBen", "oAnna"))
    assert len(runs) == 3
    async with database.reading() as connection:
        assert list(await connection.scalars(sa.select(followers.c.subscribed))) == [True, True]


async def test_a_statement_that_takes_too_long_is_given_up(url: str, tmp_path: Path) -> None:
    sleep = {"postgresql": "SELECT pg_sleep(30)", "mariadb": "SELECT SLEEP(30)"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(module._ANSWERING, "asyncpg", {"command_timeout": 0.2})
        patch.setitem(module._ANSWERING, "asyncmy", {"read_timeout": 0.2})
        async with connect(url, data_dir=tmp_path) as database:
            if _dialect(database) == "sqlite":
                pytest.skip("SQLite has no statement that waits for anything but locks")
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                async with database.reading() as connection:
                    await connection.execute(sa.text(sleep[_dialect(database)]))
            assert time.monotonic() - began < 20  # of thirty
            await database.ping()


async def test_a_lock_that_is_not_let_go_is_an_outage_not_a_hang(url: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WAIT", 0.2)
        patch.setitem(module._CONNECTING, "aiosqlite", {"timeout": 0.2})
        patch.setitem(module._ANSWERING, "asyncpg", {"command_timeout": 0.2})
        patch.setitem(module._ANSWERING, "asyncmy", {"init_command": "SET innodb_lock_wait_timeout=1"})
        async with connect(url, data_dir=tmp_path) as one, connect(url, data_dir=tmp_path) as other:
            await one.upgrade()
            async with one.writing() as connection:
                await connection.execute(sa.delete(followers))
                await connection.execute(sa.insert(followers).values(ANNA))
                with pytest.raises(StoreUnavailable):
                    async with other.writing() as waiting:
                        await waiting.execute(sa.insert(followers).values(ANNA))
            assert await _openids(other) == ["oAnna"]
            async with other.writing() as connection:
                await connection.execute(sa.delete(followers))


async def test_a_writer_that_is_given_up_leaves_the_turn_to_the_next(database: Database) -> None:
    if _dialect(database) == "sqlite":
        pytest.skip("a running transaction of SQLite cannot be given up (test_group_commit.py)")
    inside = asyncio.Event()

    def dawdle(connection: sa.Connection) -> None:
        connection.execute(sa.insert(followers).values(ANNA))
        inside.set()
        await_only(asyncio.Event().wait())

    slow = asyncio.create_task(database.attempt(dawdle))
    await inside.wait()
    queued = asyncio.create_task(database.attempt(_insert_ben))
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await queued
    assert await _openids(database) == ["oBen"]


def _insert_ben(connection: sa.Connection) -> None:
    connection.execute(sa.insert(followers).values(BEN))


async def test_more_readers_than_connections_wait_and_then_fail_cleanly(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        pytest.skip("reads of SQLite wait for threads (test_sqlite.py)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WAIT", 0.1)
        async with connect(url, data_dir=tmp_path) as database, asyncio.TaskGroup() as group:
            full = asyncio.Event()
            over = asyncio.Event()
            holding: list[int] = []

            async def hold() -> None:
                async with database.reading() as connection:
                    await connection.execute(sa.text("SELECT 1"))
                    holding.append(1)
                    if len(holding) == size:
                        full.set()
                    await over.wait()

            size = database._engine.pool.size()  # type: ignore[attr-defined]  # a QueuePool has one
            for _ in range(size):
                group.create_task(hold())
            await full.wait()
            with pytest.raises(StoreUnavailable):
                await database.ping()
            over.set()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "mysql+asyncmy", "mariadb+asyncmy"])
async def test_a_server_that_does_not_answer_is_an_outage(driver: str, silent: int, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        for port in (taken.getsockname()[1], silent):
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(module._CONNECTING, "asyncpg", {"timeout": 0.2})
                patch.setitem(module._CONNECTING, "asyncmy", {"connect_timeout": 0.2})
                patch.setitem(module._ANSWERING, "asyncmy", {"read_timeout": 0.2})
                url = f"{driver}://nobody:secret@127.0.0.1:{port}/none"
                async with connect(url, data_dir=tmp_path) as database:
                    with pytest.raises(
                        StoreUnavailable, match=r"^the database does not answer: 127.0.0.1:\d+/none: "
                    ):
                        await database.ping()


async def test_a_database_that_does_not_exist_is_an_outage(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        url = f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/file"
    wrong = sa.make_url(url)
    wrong = wrong if url.startswith("sqlite") else wrong.set(database="no_such_database")
    text = wrong.render_as_string(hide_password=False)
    async with connect(text, data_dir=tmp_path) as database:
        with pytest.raises(StoreUnavailable):
            await database.ping()
    async with asyncio.timeout(20):  # the driver's thread must have ended before this loop has
        while any("_connection_worker_thread" in it.name for it in threading.enumerate()):
            await asyncio.sleep(0.01)


async def test_the_embedded_database_loses_no_acknowledged_write(tmp_path: Path) -> None:
    async with connect("embedded", data_dir=tmp_path) as database, database.reading() as connection:
        assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert await connection.scalar(sa.text("PRAGMA synchronous")) == 2  # FULL


async def test_the_embedded_database_lets_people_read_while_another_writes(tmp_path: Path) -> None:
    async with connect("embedded", data_dir=tmp_path) as database, database.writing() as connection:
        await connection.execute(sa.insert(followers).values(ANNA))
        assert await _openids(database) == []


async def test_a_writer_waits_for_another_process_to_let_go(tmp_path: Path) -> None:
    async with connect("embedded", data_dir=tmp_path) as database:
        with closing(sqlite3.connect(tmp_path / "scanbind.sqlite3", isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(database.attempt(_insert_ben))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            foreign.execute("COMMIT")
            await waiting
        assert await _openids(database) == ["oBen"]


async def test_readers_that_turn_writers_do_not_trip_over_each_other(tmp_path: Path) -> None:
    """Two processes that read and then write in one transaction: SQLite refuses that to a late BEGIN IMMEDIATE."""

    async def count_up(database: Database, name: str) -> None:
        def work(connection: sa.Connection) -> None:
            count = connection.scalar(sa.select(sa.func.count()).select_from(bindings))
            row = {"client": "shop", "account": "main", "bound_at": NOW}
            connection.execute(
                sa.insert(bindings).values(row | {"user_id": f"{name}{count}", "follower_id": count})
            )

        for _ in range(10):
            await database.attempt(work)

    async with connect("embedded", data_dir=tmp_path) as one, connect("embedded", data_dir=tmp_path) as other:
        await asyncio.gather(count_up(one, "a"), count_up(other, "b"))
        async with one.reading() as connection:
            assert await connection.scalar(sa.select(sa.func.count()).select_from(bindings)) == 20


async def test_the_embedded_database_is_its_owners_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # a folder made by an operator, readable by all
    async with connect("embedded", data_dir=tmp_path) as database:
        await database.ping()
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert len(modes) >= 2
    assert set(modes.values()) == {0o600}, modes


async def test_connections_that_postgresql_has_closed_are_replaced_unnoticed(postgres: Database) -> None:
    """Red when `_leave_closed` does not ask whether a connection is closed."""
    others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    async with postgres.reading() as first, postgres.reading() as second, postgres.writing() as third:
        for connection in (first, second, third):
            await connection.execute(sa.text("SELECT 1"))
    async with postgres.reading() as connection, asyncio.timeout(20):
        assert (await connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {others}"))).rowcount >= 2
        while await connection.scalar(sa.text(f"SELECT count(*) {others}")):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # until the last end has arrived
    for _ in range(2):
        async with postgres.reading() as first, postgres.reading() as second, postgres.reading() as third:
            for connection in (first, second, third):
                await connection.execute(sa.text("SELECT 1"))
        await postgres.attempt(_insert_ben)
        async with postgres.writing() as connection:
            await connection.execute(sa.delete(followers))


async def test_a_postgresql_that_closes_new_connections_at_once_does_not_answer(
    postgres: Database, postgresql: str, tmp_path: Path
) -> None:
    """Red when `_leave_closed` refuses new connections as well: SQLAlchemy then raises `InvalidRequestError`."""
    async with connect(postgresql, data_dir=tmp_path) as other:

        async def end(connection: Any) -> None:
            query = sa.text(f"SELECT pg_terminate_backend({connection.get_server_pid()})")
            async with other.reading() as ending, asyncio.timeout(20):
                await ending.execute(query)
                while not connection.is_closed():
                    await asyncio.sleep(0.01)

        def close(connection: Any, _: object) -> None:
            await_only(end(connection.driver_connection))

        pool = postgres._engine.sync_engine
        async with postgres.reading() as connection:
            pooled = (await connection.get_raw_connection()).driver_connection
        await end(pooled)
        sa.event.listen(pool, "connect", close)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await postgres.ping()
            with pytest.raises(StoreUnavailable):
                await postgres.attempt(_insert_ben)
        sa.event.remove(pool, "connect", close)
    await postgres.attempt(_insert_ben)
