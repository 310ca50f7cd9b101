"""Write transactions of SQLite: those that wait are committed together, and each stands or falls alone.

Red when `_attempted` opens no savepoint, when it does not look at `in_transaction`, when `_start` takes callers
that were cancelled or goes on after `close`, and when a batch is not committed together.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from models.errors import StoreUnavailable
from service.storage.group_commit import GroupCommit


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[GroupCommit]:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/file", connect_args={"check_same_thread": False})
    sa.event.listen(engine, "connect", _no_implicit_begin)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    group = GroupCommit(engine)
    await group.run(lambda connection: _do(connection, "CREATE TABLE number (n INTEGER PRIMARY KEY)"))
    yield group
    await group.close()


def _no_implicit_begin(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _do(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _insert(connection: sa.Connection, number: int) -> int:
    _do(connection, f"INSERT INTO number VALUES ({number})")
    return number


async def _numbers(group: GroupCommit) -> list[int]:
    return await group.run(lambda connection: list(connection.scalars(sa.text("SELECT n FROM number ORDER BY n"))))


class Blocked:
    """Occupies the writing thread, so that later transactions wait for their turn."""

    def __init__(self) -> None:
        self._go = threading.Event()

    def start(self, group: GroupCommit) -> "asyncio.Task[bool]":
        return asyncio.create_task(group.run(lambda _: self._go.wait(20)))

    def release(self) -> None:
        self._go.set()


async def test_transactions_that_wait_share_one_commit_and_get_their_own_results(group: GroupCommit) -> None:
    commits: list[Any] = []
    sa.event.listen(group.engine, "commit", commits.append)
    blocked = Blocked()
    first = blocked.start(group)
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(group.run(lambda connection, n=n: _insert(connection, n))) for n in range(5)]
    await asyncio.sleep(0)
    blocked.release()
    assert await asyncio.gather(first, *waiting) == [True, 0, 1, 2, 3, 4]
    assert len(commits) == 2
    assert await _numbers(group) == [0, 1, 2, 3, 4]


async def test_a_transaction_that_fails_takes_nothing_from_the_others(group: GroupCommit) -> None:
    def twice(connection: sa.Connection) -> None:
        _insert(connection, 7)
        _insert(connection, 7)

    blocked = Blocked()
    first = blocked.start(group)
    await asyncio.sleep(0)
    works = [lambda it: _insert(it, 1), twice, lambda it: _insert(it, 2)]
    waiting = [asyncio.create_task(group.run(work)) for work in works]
    await asyncio.sleep(0)
    blocked.release()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert results[1] == 1
    assert isinstance(results[2], IntegrityError)
    assert results[3] == 2
    assert await _numbers(group) == [1, 2]


async def test_none_is_reported_committed_when_sqlite_has_rolled_all_back(group: GroupCommit) -> None:
    """On a full disk SQLite ends the whole transaction; `ROLLBACK` does the same here."""
    blocked = Blocked()
    first = blocked.start(group)
    await asyncio.sleep(0)
    works = [lambda it: _insert(it, 1), lambda it: _do(it, "ROLLBACK"), lambda it: _insert(it, 2)]
    waiting = [asyncio.create_task(group.run(work)) for work in works]
    await asyncio.sleep(0)
    blocked.release()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    await first
    assert [type(result) for result in results] == [OperationalError] * 3
    assert await _numbers(group) == []
    assert await group.run(lambda it: _insert(it, 3)) == 3


async def test_a_caller_that_is_cancelled_before_its_turn_changes_nothing(group: GroupCommit) -> None:
    blocked = Blocked()
    first = blocked.start(group)
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(group.run(lambda connection, n=n: _insert(connection, n))) for n in (1, 2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    blocked.release()
    await first
    assert await waiting[1] == 2
    assert await _numbers(group) == [2]


async def test_an_error_of_the_commit_itself_is_raised_to_each(group: GroupCommit) -> None:
    def refuse(_: sa.Connection) -> None:
        raise OSError("no space")

    sa.event.listen(group.engine, "commit", refuse)
    with pytest.raises(OSError, match="no space"):
        await group.run(lambda it: _insert(it, 1))
    sa.event.remove(group.engine, "commit", refuse)
    assert await _numbers(group) == []


class _Unusual(BaseException):
    pass


@pytest.mark.parametrize("error", [StopIteration, _Unusual])
@pytest.mark.parametrize("beside", [0, 2])
async def test_no_error_of_a_transaction_stops_the_later_ones(
    group: GroupCommit, error: type[BaseException], beside: int
) -> None:
    """Red when `_commit` raises: asyncio refuses to pass on StopIteration, and the callers wait for ever."""

    def fail(_: sa.Connection) -> None:
        raise error

    async with asyncio.timeout(20):
        first = group.run(lambda it: _insert(it, 0))
        works = [group.run(fail), *(group.run(lambda it, n=n: _insert(it, n)) for n in range(1, beside + 1))]
        results = await asyncio.gather(first, *works, return_exceptions=True)
        assert isinstance(results[1], RuntimeError if error is StopIteration else error)
        assert await group.run(lambda it: _insert(it, 9)) == 9


async def test_closing_finishes_what_runs_and_refuses_what_waits_or_comes_later(group: GroupCommit) -> None:
    blocked = Blocked()
    first = blocked.start(group)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(group.run(lambda it: _insert(it, 1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    blocked.release()
    await closing
    async with asyncio.timeout(20):
        assert await first
        for refused in (waiting, group.run(lambda it: _insert(it, 2)), group.run(lambda it: _insert(it, 3))):
            with pytest.raises(StoreUnavailable, match="closed"):
                await refused
