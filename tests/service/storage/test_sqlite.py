"""Reads of SQLite: in threads, of what is committed, several at once.

Red when `Readers` runs work in the event loop's thread or one at a time, keeps a transaction open, or lets a read
wait for its turn without a limit.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage import sqlite
from service.storage.group_commit import GroupCommit


@pytest.fixture
def url(tmp_path: Path) -> sa.URL:
    return sa.URL.create("sqlite", database=str(tmp_path / "file"))


@pytest.fixture
async def group(url: sa.URL) -> AsyncIterator[GroupCommit]:
    group = GroupCommit(sqlite.writer(url))
    await group.run(lambda connection: _do(connection, "CREATE TABLE number (n INTEGER PRIMARY KEY)"))
    yield group
    await group.close()


@pytest.fixture
async def readers(url: sa.URL) -> AsyncIterator[sqlite.Readers]:
    readers = sqlite.Readers(url)
    yield readers
    await readers.close()


def _do(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _numbers(connection: sa.Connection) -> list[int]:
    return list(connection.scalars(sa.text("SELECT n FROM number ORDER BY n")))


async def test_a_read_sees_what_was_committed_before_it(group: GroupCommit, readers: sqlite.Readers) -> None:
    """Also in a connection that has read before."""
    for number in range(12):  # more than there are connections
        await group.run(lambda connection, n=number: _do(connection, f"INSERT INTO number VALUES ({n})"))
        assert await readers.run(_numbers) == list(range(number + 1))


async def test_the_statements_of_a_read_see_one_state(group: GroupCommit, readers: sqlite.Readers) -> None:
    """Red when the engine begins no transaction."""
    loop = asyncio.get_running_loop()

    def work(connection: sa.Connection) -> tuple[list[int], list[int]]:
        before = _numbers(connection)
        adding = group.run(lambda writer: _do(writer, "INSERT INTO number VALUES (1)"))
        asyncio.run_coroutine_threadsafe(adding, loop).result(20)
        return before, _numbers(connection)

    assert await readers.run(work) == ([], [])
    assert await readers.run(_numbers) == [1]


async def test_reads_run_at_once_and_beside_the_event_loop(group: GroupCommit, readers: sqlite.Readers) -> None:
    meet = threading.Barrier(3)

    def work(connection: sa.Connection) -> list[int]:
        meet.wait(20)
        return _numbers(connection)

    two = asyncio.gather(readers.run(work), readers.run(work))
    await asyncio.to_thread(meet.wait, 20)
    assert await two == [[], []]


async def test_more_reads_than_threads_wait_and_then_fail(
    group: GroupCommit, readers: sqlite.Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    holding = [asyncio.create_task(readers.run(lambda _: over.wait(20))) for _ in range(sqlite.READERS)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(readers.run(_numbers))
    await asyncio.sleep(0)
    monkeypatch.setattr(sqlite, "WAIT", 0.05)
    with pytest.raises(TimeoutError):
        await readers.run(_numbers)
    over.set()
    assert await waiting == []
    assert all(await asyncio.gather(*holding))


async def test_a_read_does_not_keep_a_writer_waiting(group: GroupCommit, readers: sqlite.Readers) -> None:
    """Nor does a writer keep a read waiting."""
    read = threading.Event()

    def write(connection: sa.Connection) -> bool:
        _do(connection, "INSERT INTO number VALUES (1)")
        return read.wait(20)

    writing = asyncio.create_task(group.run(write))
    assert await readers.run(_numbers) == []
    read.set()
    assert await writing


async def test_an_error_is_raised_and_the_connection_works_on(group: GroupCommit, readers: sqlite.Readers) -> None:
    with pytest.raises(sa.exc.OperationalError):
        await readers.run(lambda connection: _do(connection, "SELECT 1 FROM nothing"))
    assert await readers.run(_numbers) == []
