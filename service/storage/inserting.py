"""Inserts in as few round trips as possible."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from service.storage.prepared import Prepared, Values

_WITH_ON_CONFLICT: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class TakenError(Exception):
    """A row that was to be written at the end is forbidden, or refers to one that is."""


class NewId(int):
    """Stands for the id of a row that is not written yet: its number among such rows, from -1 down."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the rows of a table, and the values of its parameters."""

    where: sa.ColumnElement[bool]
    values: Values


@dataclass(frozen=True, slots=True)
class _Added:
    """A row to write. One that may be `taken` has an id, to which later rows may refer."""

    table: sa.Table
    row: Values
    may_be_taken: bool = False
    unless: Condition | None = None
    """There is no such row in the table."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the statement for a row depends on; `references` have the number of the late row that they name."""

    table: sa.Table
    columns: tuple[str, ...]
    references: tuple[tuple[str, int], ...]
    may_be_taken: bool
    unless: sa.ColumnElement[bool] | None


def insert_unless_taken(connection: sa.Connection, table: sa.Table, row: Values) -> Any | None:
    """Insert *row* and return its primary key; None, with nothing changed, if a unique constraint forbids it."""
    dialect = connection.dialect.name
    if dialect in _WITH_ON_CONFLICT:
        keys = _unless_taken(table, tuple(row), dialect).rows(connection, row)
        return keys[0][0] if keys else None
    try:  # MariaDB and MySQL take back the failed statement alone
        return _key(connection.execute(sa.insert(table), row))
    except IntegrityError:
        return None


class AppendedRows:
    """Rows that a transaction adds and does not read: written at its end, in one statement if possible.

    With *late*, that is true of rows that may be taken as well. With *alone*, no transaction is around them, which
    only PostgreSQL can do.
    """

    def __init__(self, *, late: bool = False, alone: bool = False) -> None:
        self._late, self._alone = late, alone
        self._rows: list[_Added] = []
        self._new = 0

    def add(self, table: sa.Table, row: Values) -> None:
        """Add a row; rows of one table have the same columns."""
        self._rows.append(_Added(table, row))

    def insert_unless_taken(self, connection: sa.Connection, table: sa.Table, row: Values) -> int | None:
        """Insert a row and return its id, as the function of this name; a `NewId` if it is written late."""
        return self.add_late(table, row) if self._late else insert_unless_taken(connection, table, row)

    def add_late(self, table: sa.Table, row: Values, *, unless: Condition | None = None) -> NewId:
        """Add a row that may be taken, or is forbidden by one of *unless*, which is only for rows *alone*."""
        self._rows.append(_Added(table, row, may_be_taken=True, unless=unless))
        self._new += 1
        return NewId(-self._new)

    def write(self, connection: sa.Connection) -> None:
        """Insert all rows.

        Raises:
            IntegrityError: a constraint forbids a row that was added.
            TakenError: one forbids a late row. Others may be written: the caller rolls back, unless the rows are
                *alone*: then none was written after the late row, and none at all if that is the first.
        """
        tables = [added.table for added in self._rows if not added.may_be_taken]
        # One statement inserts its rows in any order, but rows of one table must get ascending ids.
        if connection.dialect.name == "postgresql" and len(self._rows) > 1 and len(set(tables)) == len(tables):
            self._write_together(connection)
        elif self._alone:
            raise TakenError  # they take several statements, and so a transaction
        else:
            self._write_in_turn(connection)

    def _write_together(self, connection: sa.Connection) -> None:
        names, statement = _together(tuple(map(_shape, self._rows)))
        values = dict(zip(names, (value for added in self._rows for value in added.row.values()), strict=True))
        for added in self._rows:
            values |= added.unless.values if added.unless else {}
        if not statement.run(connection, values):
            raise TakenError

    def _write_in_turn(self, connection: sa.Connection) -> None:
        ids = list[int]()
        rest = dict[sa.Table, list[Values]]()
        for added in self._rows:
            row = {name: ids[-it - 1] if isinstance(it, NewId) else it for name, it in added.row.items()}
            if not added.may_be_taken:
                rest.setdefault(added.table, []).append(row)
            elif (number := insert_unless_taken(connection, added.table, row)) is None:
                raise TakenError
            else:
                ids.append(number)
        for table, rows in rest.items():
            _inserting(table, tuple(rows[0])).run_each(connection, rows)


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
def _inserting(table: sa.Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(sa.insert(table), columns)


@cache
def _unless_taken(table: sa.Table, columns: tuple[str, ...], dialect: str) -> Prepared:
    insert = _WITH_ON_CONFLICT[dialect](table).on_conflict_do_nothing().returning(*table.primary_key)
    return Prepared(insert, columns)


def _shape(added: _Added) -> _Shape:
    references = tuple((name, -it - 1) for name, it in added.row.items() if isinstance(it, NewId))
    unless = added.unless.where if added.unless else None
    return _Shape(added.table, tuple(added.row), references, added.may_be_taken, unless)


@cache
def _together(shapes: tuple[_Shape, ...]) -> tuple[Sequence[str], Prepared]:
    """Return a statement for PostgreSQL that inserts a row of each shape, and the names of its parameters.

    Each row is selected from the ids of the late rows before it: without one of them there is none. Its count of
    changed rows is that of the last row.
    """
    late, parts = list[sa.CTE](), list[sa.CTE]()
    for at, shape in enumerate(shapes[:-1]):
        insert = _selected(at, shape, late)
        if shape.may_be_taken:
            parts.append(insert.returning(shape.table.c.id).cte(f"row_{at}"))
            late.append(parts[-1])
        else:
            parts.append(insert.cte(f"row_{at}"))
    names = [f"{at}_{name}" for at, shape in enumerate(shapes) for name in shape.columns]
    return names, Prepared(_selected(len(shapes) - 1, shapes[-1], late).add_cte(*parts))


def _selected(at: int, shape: _Shape, late: Sequence[sa.CTE]) -> postgresql.Insert:
    known = dict(shape.references)
    values = [
        late[known[name]].c.id if name in known else sa.bindparam(f"{at}_{name}", type_=shape.table.c[name].type)
        for name in shape.columns
    ]
    insert = postgresql.insert(shape.table)
    row = sa.select(*values).select_from(*late)
    if shape.unless is not None:
        row = row.where(~sa.exists().where(shape.unless).correlate(None))
    insert = insert.from_select(list(shape.columns), row)
    return insert.on_conflict_do_nothing() if shape.may_be_taken else insert


def _key(result: sa.CursorResult[Any]) -> Any:
    key = result.inserted_primary_key
    return key[0] if key else None
