"""Opens the connections of an SQLite database, and runs its reads in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

FILE: Final = "scanbind.sqlite3"
"""The name of the embedded database in data_dir."""
TIMEOUT: Final = 3
"""Seconds to wait for a lock."""
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA secure_delete=ON",  # overwrites deleted content on disk
    "PRAGMA synchronous=FULL",  # WAL's usual NORMAL may lose the last commits when the power fails
)
READERS: Final = 4
"""Reads that run at the same time."""
WAIT: Final = 2.0
"""Seconds that a read waits for its turn."""
# Exceptions are logged, and openids must not be.
_OPTIONS: Final[dict[str, Any]] = {
    "connect_args": {"timeout": TIMEOUT, "check_same_thread": False},
    "hide_parameters": True,
    "max_overflow": 0,
}


class Readers:
    """Runs reads of the database at *url* in threads.

    aiosqlite goes to its thread and back for each step of a statement, seven times for one read. This takes three
    times as long as the read itself.
    """

    def __init__(self, url: sa.URL) -> None:
        self._engine = sa.create_engine(url.set(drivername="sqlite"), pool_size=READERS, **_OPTIONS)
        prepare(self._engine)
        self._threads = ThreadPoolExecutor(READERS, "sqlite-read")
        self._free = asyncio.Semaphore(READERS)

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Run *work* on one snapshot of the database; return its result or raise its error.

        Raises TimeoutError if other reads take too long.
        """
        if self._free.locked():
            async with asyncio.timeout(WAIT):
                await self._free.acquire()
        else:
            await self._free.acquire()  # at once: a timer would take as long as some reads
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Finish the reads that run or wait, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _run(self, work: Callable[[sa.Connection], T]) -> T:
        with self._engine.connect() as connection:
            return work(connection)


def writer(url: sa.URL) -> sa.Engine:
    """Return an engine with one connection to the database at *url*, for `GroupCommit`."""
    engine = sa.create_engine(url.set(drivername="sqlite"), pool_size=1, **_OPTIONS)
    prepare(engine)
    return engine.execution_options(scanbind_writes=True)


def prepare(engine: sa.Engine) -> None:
    """Let *engine* set up its connections and begin its transactions."""
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)


def _prepare(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # `_begin` begins transactions, not the driver
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that starts as a reader cannot wait to write: SQLite fails it once another one has written.
    writes = connection.get_execution_options().get("scanbind_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
