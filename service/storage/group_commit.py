"""Runs the write transactions of an SQLite database in one thread.

SQLite has one writer at a time. Transactions that wait for their turn are run in one common transaction, each in a
savepoint, and committed with one fsync.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
"""What a transaction does. It may run several times, so it changes nothing but the database."""

_MOST: Final = 64
"""Transactions in one commit: the last one waits for all of them."""


@dataclass(slots=True)
class GroupCommit:
    """Runs and commits write transactions on *engine*, whose connections may be used in any thread."""

    engine: sa.Engine
    _waiting: deque[tuple[Work[Any], asyncio.Future[Any]]] = field(default_factory=deque, init=False)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "sqlite"), init=False)
    _busy: bool = field(default=False, init=False)

    async def run(self, work: Work[T]) -> T:
        """Run *work* in a transaction and return its result once it is committed; raise what *work* raises.

        A caller that is cancelled before the transaction begins has changed nothing.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if not self._busy:
            self._start()
        return await done

    async def close(self) -> None:
        """Finish the transaction that is running, and close the connection."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self.engine.dispose()

    def _start(self) -> None:
        batch = list[tuple[Work[Any], asyncio.Future[Any]]]()
        while self._waiting and len(batch) < _MOST:
            work, done = self._waiting.popleft()
            if not done.done():  # else its caller was cancelled
                batch.append((work, done))
        self._busy = bool(batch)
        if batch:
            loop = asyncio.get_running_loop()
            committing = loop.run_in_executor(self._thread, self._commit, [work for work, _ in batch])
            committing.add_done_callback(lambda it: self._finish([done for _, done in batch], it))

    def _finish(
        self, waiters: Sequence[asyncio.Future[Any]], committed: asyncio.Future[list[tuple[Any, Exception | None]]]
    ) -> None:
        failed = asyncio.CancelledError() if committed.cancelled() else committed.exception()
        results = [(None, failed)] * len(waiters) if failed else committed.result()
        for done, (result, error) in zip(waiters, results, strict=True):
            if done.done():
                continue
            if error:
                done.set_exception(error)
            else:
                done.set_result(result)
        self._start()

    def _commit(self, works: Sequence[Work[Any]]) -> list[tuple[Any, Exception | None]]:
        """Run *works* in one transaction; return the result or the error of each."""
        with self.engine.begin() as connection:
            if len(works) == 1:
                return [(works[0](connection), None)]
            return [_attempted(connection, work) for work in works]


def _attempted(connection: sa.Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
    """Run *work* in a savepoint; return its result or error. Raises an error that ended the whole transaction."""
    try:
        with connection.begin_nested():
            return work(connection), None
    except Exception as e:
        # A full disk, for example: SQLite has rolled back the other transactions as well.
        if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
            raise
        return None, e
