"""What an error of a database driver means: the database is down, a commit is in doubt, or a race was lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc

from models.errors import StoreUnavailable
from service.storage.reasons import database_reason

_SQLITE_BROKEN: Final = frozenset({11, 26})  # SQLITE_CORRUPT, SQLITE_NOTADB
_SQLITE_BUSY: Final = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
# Record changed since read, deadlock, and missing savepoint: a deadlock rolls back the whole transaction, with its
# savepoints.
_MYSQL_RACES: Final = frozenset({1020, 1213, 1305})
_PG_RACES: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
# PostgreSQL's error classes that are not the statement's fault: connection, authorization, catalog, rollback,
# resources, object state, operator intervention, system. asyncpg has no exception class for them.
_PG_DOWN: Final = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})
_PG_READ_ONLY: Final = "25006"  # a replica, after a failover
_PG_ENDED: Final = frozenset({"08", "57"})  # of these: the connection ended


@contextmanager
def translated(url: sa.URL) -> Iterator[None]:
    """Raise StoreUnavailable for an error that is not the statement's fault; other errors pass."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, OSError, TimeoutError) as e:
        if not is_down(e):
            raise
        raise StoreUnavailable("the database does not answer", reason=database_reason(e, url)) from e


def is_down(e: Exception) -> bool:
    """Tell whether the database is the cause: it does not answer, refuses to work, or is damaged."""
    if not isinstance(e, exc.DBAPIError):
        return True
    state = _sqlstate(e)
    return (
        e.connection_invalidated
        or isinstance(e, exc.OperationalError | exc.InterfaceError | exc.InternalError)
        or getattr(e.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_BROKEN
        or state == _PG_READ_ONLY
        or state[:2] in _PG_DOWN
    )


def answer_lost(e: Exception) -> bool:
    """Return whether *e* leaves it unknown if the server committed. SQLite's errors never do."""
    if not isinstance(e, exc.DBAPIError):
        return True
    return e.connection_invalidated or _sqlstate(e)[:2] in _PG_ENDED


def lost_race(e: Exception) -> bool:
    """Tell whether a concurrent transaction is the cause, so that another attempt may succeed."""
    cause = e.orig if isinstance(e, exc.DBAPIError) else None
    return (
        getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_BUSY
        or getattr(cause, "sqlstate", None) in _PG_RACES
        or (cause is not None and cause.args[:1] != () and cause.args[0] in _MYSQL_RACES)
    )


def _sqlstate(e: exc.DBAPIError) -> str:
    return getattr(e.orig, "sqlstate", None) or ""
