"""Inserts in as few round trips as possible."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

_WITH_ON_CONFLICT: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert_unless_taken(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> Any | None:
    """Insert *row* and return its primary key; None, with nothing changed, if a unique constraint forbids it."""
    dialect = connection.dialect.name
    if dialect in _WITH_ON_CONFLICT:
        return connection.scalar(_unless_taken(table, dialect), row)
    try:  # MariaDB and MySQL take back the failed statement alone
        return _key(connection.execute(sa.insert(table), row))
    except IntegrityError:
        return None


class AppendedRows:
    """Rows that a transaction adds and does not read: written at its end, in one statement if possible."""

    def __init__(self) -> None:
        self._rows: list[tuple[sa.Table, Mapping[str, Any]]] = []

    def add(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """Add a row; rows of one table have the same columns."""
        self._rows.append((table, row))

    def write(self, connection: sa.Connection) -> None:
        """Insert all rows. Raises IntegrityError if a constraint forbids one of them."""
        tables = dict.fromkeys(table for table, _ in self._rows)
        # One statement inserts its rows in any order, but rows of one table must get ascending ids.
        if connection.dialect.name == "postgresql" and 1 < len(tables) == len(self._rows):
            values = {f"{at}_{name}": it for at, (_, row) in enumerate(self._rows) for name, it in row.items()}
            connection.execute(_together(tuple((table, tuple(row)) for table, row in self._rows)), values)
            return
        for table in tables:
            connection.execute(sa.insert(table), [row for its, row in self._rows if its is table])


@contextmanager
def appending(connection: sa.Connection) -> Iterator[AppendedRows]:
    """Yield rows to add to, and write them at the end of the context unless it raises.

    Raises:
        IntegrityError: a constraint forbids one of them.
    """
    rows = AppendedRows()
    yield rows
    rows.write(connection)


@cache
def _unless_taken(table: sa.Table, dialect: str) -> sa.Executable:
    statement: sa.Executable = (
        _WITH_ON_CONFLICT[dialect](table).on_conflict_do_nothing().returning(*table.primary_key)
    )
    return statement


@cache
def _together(rows: tuple[tuple[sa.Table, tuple[str, ...]], ...]) -> sa.Insert:
    """Return a statement that inserts a row into each table, with parameters named `INDEX_COLUMN`."""
    *others, last = (
        sa.insert(table).values({name: sa.bindparam(f"{at}_{name}") for name in columns})
        for at, (table, columns) in enumerate(rows)
    )
    return last.add_cte(*(other.cte(f"row_{at}") for at, other in enumerate(others)))


def _key(result: sa.CursorResult[Any]) -> Any:
    key = result.inserted_primary_key
    return key[0] if key else None
