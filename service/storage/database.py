"""Database connections, transactions and retries. Uses no table except its own commit marks.

Three rules: a failure of the driver is raised as `StoreUnavailable`, except for a violated constraint; every wait
is bounded, so that WeChat gets its reply in time; a write is on disk when it returns.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import uniform
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

import migrations
from models.errors import StoreUnavailable
from models.tables.commits import commit_marks
from service.config import data_folder
from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.storage import sqlite
from service.storage.driver_errors import answer_lost, is_down, lost_race, translated
from service.storage.group_commit import GroupCommit, Work
from service.storage.schema import refuse_newer, require_current

T = TypeVar("T")

MARKS_KEPT: Final = timedelta(hours=1)
"""How long commit marks are kept: longer than any retry takes."""

_MARK_BYTES: Final = 16
_MARK: Final = sa.insert(commit_marks)
_USED: Final = "scanbind_used"
_WAIT: Final = 2  # seconds for a connection, seconds for a lock
_ANSWER: Final = 3  # seconds for a statement; pushes bound the sum to the 4.5 of contract.md 6
_PAUSES: Final = (0.02, 0.1)  # seconds at most, before each retry
# Seconds. PostgreSQL takes one to detect a deadlock. After a lock timeout there is no time for a retry.
_RETRY_WITHIN: Final = 2.0
_SETTLE_WITHIN: Final = 6.0  # seconds to resolve a commit whose answer was lost
_SETTLE_PAUSE: Final = 0.2

# The timeouts of each driver: to connect, and (not when migrating) to run a statement.
_CONNECTING: Final[dict[str, dict[str, Any]]] = {
    "aiosqlite": {"timeout": sqlite.TIMEOUT},
    "asyncpg": {"timeout": _WAIT},
    "asyncmy": {"connect_timeout": _WAIT},
}
_ANSWERING: Final[dict[str, dict[str, Any]]] = {
    "asyncpg": {"command_timeout": _ANSWER},
    "asyncmy": {"read_timeout": _ANSWER, "init_command": f"SET SESSION innodb_lock_wait_timeout={_WAIT}"},
}
_DISCREET: Final = {"hide_parameters": True}  # exceptions are logged, and openids must not be
# How to lock and unlock against concurrent migrations. SQLite needs neither.
_MIGRATING: Final = {
    "postgresql": ("SELECT pg_advisory_lock(740118) IS NOT NULL", "SELECT pg_advisory_unlock(740118)"),
    "mysql": (_MYSQL_LOCK := "SELECT GET_LOCK('scanbind', 60)", _MYSQL_FREE := "SELECT RELEASE_LOCK('scanbind')"),
    "mariadb": (_MYSQL_LOCK, _MYSQL_FREE),
}


class Database:
    """The database, behind any of the supported drivers.

    Reads and writes are functions of the connection: a write may have to run again, and a read of SQLite runs as a
    whole in one thread.
    """

    def __init__(
        self, engine: AsyncEngine, *, group: GroupCommit | None = None, readers: sqlite.Readers | None = None
    ) -> None:
        self._engine = engine
        # A transaction around a single SELECT would cost PostgreSQL two more round trips.
        single = engine.dialect.name == "postgresql"
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT") if single else engine
        self._writer = engine.execution_options(scanbind_writes=True)
        self._group, self._readers = group, readers
        self.on_commit: Callable[[float], None] = lambda _: None
        """Called after each write transaction that was committed, with the monotonic time when it began."""

    @property
    def commits_single_statements(self) -> bool:
        """Tell whether a statement of a `single` attempt is sent without a transaction around it."""
        return self._reader is not self._engine

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for reading, to tests and migrations.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with translated(self._engine.url):
            async with self._reader.connect() as connection:
                yield connection

    async def read(self, work: Work[T]) -> T:
        """Run *work*, which only reads, and return its result.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with translated(self._engine.url):
            if self._readers:
                return await self._readers.run(work)
            return await greenlet_spawn(_Attempt(work, autocommits=True).run, self._reader.sync_engine)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction to tests and migrations; any exception rolls it back.

        Raises:
            StoreUnavailable: the database does not answer, or the transaction lost a lock conflict.
        """
        with translated(self._engine.url):
            async with self._writer.begin() as connection:
                yield connection

    async def attempt(self, work: Work[T], *, single: bool = False) -> T:
        """Run *work* in a write transaction. After a lock conflict, run it again from its start.

        *single* says that *work* executes one statement: PostgreSQL then needs one round trip instead of three.
        It also runs again if the answer to its commit was lost, perhaps after the commit succeeded: a constraint
        must then keep it from taking effect twice. Use `once` if none does.

        Raises:
            StoreUnavailable: the database does not answer, or all attempts failed.
        """
        retries, began = _Retries(), time.monotonic()
        autocommits = single and self.commits_single_statements
        engine = (self._reader if autocommits else self._writer).sync_engine
        with translated(self._engine.url):
            while True:
                attempt = _Attempt(work, autocommits=autocommits)
                try:
                    # One greenlet for all: AsyncConnection takes one for each step.
                    result = await (self._group.run(work) if self._group else greenlet_spawn(attempt.run, engine))
                except (exc.DBAPIError, exc.TimeoutError, OSError, TimeoutError) as e:
                    # A statement that waited for a lock for too long is not sent again to wait as long.
                    committing = attempt.committing and not (autocommits and isinstance(e, TimeoutError))
                    if (pause := retries.pause(e, committing=committing)) is None:
                        raise
                    await asyncio.sleep(pause)
                else:
                    self.on_commit(began)
                    return result

    async def once(self, work: Work[T]) -> T:
        """Run *work* as `attempt` does, but never again once it is committed; return the committed run's result.

        The transaction inserts a mark with a unique key. If the answer to its commit is lost, the next attempt
        waits on that key until the commit has ended, and finds the mark if it succeeded.

        Raises: as `attempt`.
        """
        if self._group:  # in this process: no answer can be lost
            return await self.attempt(work)
        mark, results = secrets.token_urlsafe(_MARK_BYTES), list[T]()

        def marked(connection: sa.Connection) -> T:
            try:
                connection.execute(_MARK, {"id": mark, "at": datetime.now(UTC)})
            except exc.IntegrityError as e:
                raise _CommittedError from e
            results.append(work(connection))
            return results[-1]

        try:
            return await self.attempt(marked)
        except _CommittedError:
            return results[-1]

    async def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreUnavailable: it does not.
        """
        await self.read(lambda connection: connection.scalar(sa.text("SELECT 1")))

    async def check_schema(self) -> None:
        """Check that the schema is at the revision that this code requires.

        Raises:
            StoreUnavailable: it is not, or the database does not answer.
        """
        require_current(await self.read(migrations.current))

    async def upgrade(self) -> None:
        """Migrate the schema to the newest revision. Idempotent, and safe to run concurrently.

        Raises:
            StoreUnavailable: the database does not answer, or another migration takes too long.
            NewerSchema: a newer scanbind has migrated it.
        """
        async with self._migrating():
            # A transaction each: a step must not wait for a table while an earlier one keeps another locked.
            while await self._step():
                pass

    async def _step(self) -> bool:
        async with self.writing() as connection:
            refuse_newer(await connection.run_sync(migrations.current))
            return await connection.run_sync(migrations.upgrade)

    @asynccontextmanager
    async def _migrating(self) -> AsyncIterator[None]:
        # On a separate connection: MySQL commits at every DDL, and the lock must outlast the last commit.
        lock, unlock = _MIGRATING.get(self._engine.dialect.name, ("SELECT 1", "SELECT 1"))
        async with self.reading() as connection:
            if not await connection.scalar(sa.text(lock)):
                raise StoreUnavailable("another migration is running; run this one again when it has ended")
            try:
                yield
            finally:
                await connection.execute(sa.text(unlock))


@asynccontextmanager
async def connect(url: str, *, data_dir: Path, patient: bool = False) -> AsyncIterator[Database]:
    """Open the database at *url*, or the embedded one in *data_dir*, which is migrated first.

    No connection to another database is made before the first use. *patient* removes the statement timeout.

    Raises:
        StoreUnavailable: the embedded database cannot be opened or migrated.
    """
    engine = _engine(url, data_dir=data_dir, limits={} if patient else _ANSWERING)
    group = GroupCommit(sqlite.writer(engine.url)) if engine.dialect.name == "sqlite" else None
    readers = sqlite.Readers(engine.url) if group else None
    try:
        database = Database(engine, group=group, readers=readers)
        if url == EMBEDDED:
            await database.upgrade()
        yield database
    finally:
        if group and readers:
            await readers.close()
            await group.close()
        await engine.dispose()


@asynccontextmanager
async def inspected(settings: Settings) -> AsyncIterator[Database]:
    """Open the configured database to read its state; an embedded one is neither created nor migrated.

    Raises:
        StoreUnavailable: there is no embedded one yet.
    """
    if settings.database.url == EMBEDDED and not (settings.data_dir / sqlite.FILE).exists():
        raise StoreUnavailable(f"there is none in {settings.data_dir} yet; the first start creates it")
    engine = _engine(settings.database.url, data_dir=settings.data_dir, limits=_ANSWERING)
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


async def migrate(settings: Settings) -> str:
    """Migrate the configured database to the newest revision; return a message that names it.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    engine = _engine(settings.database.url, data_dir=settings.data_dir, limits={})  # DDL may take long
    try:
        with naming_the_setting():
            await Database(engine).upgrade()
    finally:
        await engine.dispose()
    return f"database is at revision {migrations.head()}"


@contextmanager
def naming_the_setting() -> Iterator[None]:
    """Put `database.url` before the message of StoreUnavailable, for those who configure it."""
    try:
        yield
    except StoreUnavailable as e:
        raise type(e)(f"database.url: {e.detail}", reason=e.reason) from e


class _CommittedError(Exception):
    """The transaction of an earlier attempt was committed."""


class _Attempt(Generic[T]):
    """One run of *work* on a connection, in a transaction unless its single statement *autocommits*."""

    def __init__(self, work: Work[T], *, autocommits: bool) -> None:
        self._work, self._autocommits = work, autocommits
        self.committing = False
        """Whether an answer that is lost now may be that of a commit."""

    def run(self, engine: sa.Engine) -> T:
        with engine.connect() if self._autocommits else engine.begin() as connection:
            self.committing = self._autocommits
            result = self._work(connection)
            self.committing = True
        return result


class _Retries:
    """Decides whether a failed transaction is retried, and after what delay."""

    def __init__(self) -> None:
        self._started = _now()
        self._pauses = iter(_PAUSES)
        self._unsettled = False

    def pause(self, e: Exception, *, committing: bool) -> float | None:
        """Return the seconds to wait before the next attempt; None to raise *e*."""
        passed = _now() - self._started
        self._unsettled |= committing and answer_lost(e)
        if self._unsettled and passed < _SETTLE_WITHIN and (lost_race(e) or is_down(e)):
            return _SETTLE_PAUSE
        if not lost_race(e) or passed > _RETRY_WITHIN or (pause := next(self._pauses, None)) is None:
            return None
        return uniform(pause / 2, pause)  # noqa: S311 - jitter, not a secret


def _engine(url: str, *, data_dir: Path, limits: dict[str, dict[str, Any]]) -> AsyncEngine:
    address = _embedded(data_dir) if url == EMBEDDED else sa.make_url(url)
    driver = address.get_driver_name()
    arguments = _CONNECTING.get(driver, {}) | limits.get(driver, {})
    if driver == "asyncmy" and isinstance(address.password, str):
        arguments["password"] = address.password.encode()  # which it would encode in Latin-1
    common: dict[str, Any] = _DISCREET | {"connect_args": arguments, "max_overflow": 0, "pool_timeout": _WAIT}
    if address.get_backend_name() != "sqlite":
        postgresql = address.get_backend_name() == "postgresql"
        engine = create_async_engine(
            address,
            isolation_level="READ COMMITTED",
            pool_size=10,
            pool_use_lifo=True,  # the connection used last has the statements prepared
            pool_pre_ping=not postgresql,
            pool_recycle=1800,
            **common,
        )
        if postgresql:
            sa.event.listen(engine.sync_engine, "checkout", _leave_closed)
        return engine
    engine = create_async_engine(address, pool_size=4, **common)
    sqlite.prepare(engine.sync_engine)
    return engine


def _leave_closed(connection: Any, entry: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """Make the pool replace a connection that the server has closed since its last use.

    asyncpg notices that at once. `pool_pre_ping` of SQLAlchemy would ask the server, in three round trips.
    """
    # A new one is not replaced: its first statement fails as any that the database does not answer, but a second
    # replacement makes SQLAlchemy raise InvalidRequestError.
    if entry.info.get(_USED) and connection.driver_connection.is_closed():
        raise exc.DisconnectionError
    entry.info[_USED] = True


def _embedded(data_dir: Path) -> sa.URL:
    file = data_dir / sqlite.FILE
    with data_folder.writing():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)  # even in a folder that others can read; SQLite gives its journals the same mode
    return sa.URL.create("sqlite+aiosqlite", database=str(file))


def _now() -> float:
    return asyncio.get_running_loop().time()
