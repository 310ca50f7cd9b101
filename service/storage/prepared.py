"""Statements that SQLAlchemy compiles once for each kind of database, and that the driver then executes.

At every execution of its own, SQLAlchemy looks the statement up and makes a context and a result. That takes twice
as long as SQLite's driver takes for an insert.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPICursor, Dialect
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    parameters: Sequence[tuple[str, Any, _Processor]]
    """In the driver's order: the name, the value where none is given, and what turns a value into a parameter."""
    columns: Sequence[_Processor]
    """What turns each column of a result into a value."""

    def bound(self, values: Values) -> tuple[Any, ...]:
        given = ((values.get(name, default), process) for name, default, process in self.parameters)
        return tuple(process(value) if process else value for value, process in given)

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            process(value) if process else value for value, process in zip(row, self.columns, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement for transactions that have begun, or readers that need none.

    Values are given by the names of the statement's parameters; those of an insert are its columns. A parameter
    without a value has the statement's own, or None.

    Every method raises what SQLAlchemy raises of this statement: DBAPIError, without the values.
    """

    statement: sa.Executable
    inserted: tuple[str, ...] | None = None
    """The columns that an insert without values of its own fills."""
    _compiled: dict[tuple[str, str], _Compiled] = field(default_factory=dict, init=False, repr=False)

    def rows(self, connection: sa.Connection, values: Values) -> list[tuple[Any, ...]]:
        """Execute the statement; return its rows."""
        compiled = self._for(connection.dialect)
        with _cursor(connection, compiled) as cursor:
            cursor.execute(compiled.text, compiled.bound(values))
            return [compiled.read(row) for row in cursor.fetchall()]

    def run(self, connection: sa.Connection, values: Values) -> int:
        """Execute the statement; return how many rows it changed."""
        compiled = self._for(connection.dialect)
        with _cursor(connection, compiled) as cursor:
            cursor.execute(compiled.text, compiled.bound(values))
            return cursor.rowcount

    def run_each(self, connection: sa.Connection, values: Sequence[Values]) -> None:
        """Execute the statement with each of *values*, in one round trip where the driver can."""
        compiled = self._for(connection.dialect)
        with _cursor(connection, compiled) as cursor:
            cursor.executemany(compiled.text, [compiled.bound(one) for one in values])

    def _for(self, dialect: Dialect) -> _Compiled:
        kind = dialect.name, dialect.driver
        if (found := self._compiled.get(kind)) is None:
            found = self._compiled[kind] = _compile(self.statement, self.inserted, dialect)
        return found


def _compile(statement: sa.Executable, inserted: Sequence[str] | None, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=inserted)  # type: ignore[attr-defined]
    parameters = [(name, compiled.binds[name]) for name in compiled.positiontup]
    returned = getattr(statement, "exported_columns", ())
    return _Compiled(
        str(compiled),
        [(name, it.value, _impl(it.type, dialect).bind_processor(dialect)) for name, it in parameters],
        [_impl(column.type, dialect).result_processor(dialect, None) for column in returned],
    )


def _impl(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)


@contextmanager
def _cursor(connection: sa.Connection, compiled: _Compiled) -> Iterator[DBAPICursor]:
    """Yield a cursor of the driver; raise its errors as SQLAlchemy would, and leave the connection as it would."""
    dialect, driver = connection.dialect, connection.connection
    cursor = driver.cursor()
    try:
        # Also after an error, whose traceback keeps the cursor: to free an open one, SQLite waits until no other
        # thread uses the connection, and all threads of Python wait for that.
        with closing(cursor):
            yield cursor
    except dialect.loaded_dbapi.Error as e:
        ended = dialect.is_disconnect(e, driver.dbapi_connection, cursor)
        if ended:
            connection.invalidate(e)
        raise exc.DBAPIError.instance(
            compiled.text,
            None,
            e,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=ended,
            dialect=dialect,
        ) from e
    except BaseException as e:
        if not isinstance(e, Exception):
            connection.invalidate(e)  # cancelled: what the server still answers belongs to no statement
        raise
