"""Runs the write transactions of an SQLite database in one thread.

SQLite has one writer at a time. Transactions that wait for their turn are run in one common transaction, each in a
savepoint, and committed with one fsync.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa

from models.errors import StoreUnavailable

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
"""What a transaction does. It may run several times, so it changes nothing but the database."""
_Outcome = tuple[Any, BaseException | None]
"""What a transaction returned, or raised."""
_Waiter = tuple[Work[Any], "asyncio.Future[_Outcome]"]

_MOST: Final = 64
"""Transactions in one commit: the last one waits for all of them."""


@dataclass(slots=True)
class GroupCommit:
    """Runs and commits write transactions on *engine*, whose connections may be used in any thread."""

    engine: sa.Engine
    _waiting: deque[_Waiter] = field(default_factory=deque, init=False)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "sqlite"), init=False)
    _busy: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    async def run(self, work: Work[T]) -> T:
        """Run *work* in a transaction and return its result once it is committed; raise what *work* raises.

        A caller that is cancelled before the transaction begins has changed nothing.

        Raises:
            StoreUnavailable: it was closed before the transaction began.
        """
        done: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if not self._busy:
            self._start()
        result, error = await done
        if error:
            raise error
        return cast("T", result)

    async def close(self) -> None:
        """Finish the transaction that is running, refuse those that wait, and close the connection."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)
        self.engine.dispose()

    def _start(self) -> None:
        batch = list[_Waiter]()
        while self._waiting and len(batch) < _MOST:
            work, done = self._waiting.popleft()
            if done.done():
                continue  # its caller was cancelled
            if self._closed:
                done.set_result((None, StoreUnavailable("the database is closed")))
            else:
                batch.append((work, done))
        self._busy = bool(batch)
        if batch:
            loop = asyncio.get_running_loop()
            committing = loop.run_in_executor(self._thread, self._commit, [work for work, _ in batch])
            committing.add_done_callback(lambda it: self._finish([done for _, done in batch], it))

    def _finish(
        self, waiters: Sequence[asyncio.Future[_Outcome]], committed: asyncio.Future[list[_Outcome]]
    ) -> None:
        for done, outcome in zip(waiters, committed.result(), strict=True):
            if not done.done():
                done.set_result(outcome)
        self._start()

    def _commit(self, works: Sequence[Work[Any]]) -> list[_Outcome]:
        """Run *works* in one transaction; return the outcome of each, never raise: their callers would wait on."""
        try:
            with self.engine.begin() as connection:
                if len(works) == 1:
                    return [(works[0](connection), None)]
                return [_attempted(connection, work) for work in works]
        except BaseException as e:  # noqa: BLE001 - each caller raises it
            return [(None, e)] * len(works)


def _attempted(connection: sa.Connection, work: Work[Any]) -> _Outcome:
    """Run *work* in a savepoint; return its result or error. Raises an error that ended the whole transaction."""
    # Plain statements: a nested transaction of SQLAlchemy takes as long as an insert.
    connection.exec_driver_sql("SAVEPOINT attempt")
    try:
        result = work(connection)
    except Exception as e:
        # A full disk, for example: SQLite has rolled back the other transactions as well.
        if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
            raise
        connection.exec_driver_sql("ROLLBACK TO attempt")
        return None, e
    connection.exec_driver_sql("RELEASE attempt")
    return result, None
