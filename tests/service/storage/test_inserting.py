"""Inserts that a constraint may forbid, and rows that are written at the end of a transaction.

Red when `insert_unless_taken` raises a violation, when `AppendedRows.write` joins rows of one table in one
statement or leaves out a table, when a row is written without the late row that it refers to, beside a row that
forbids it or, alone, in several statements, and when `appending` writes after an error.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from writing import writing_engine

from models.binding import Change, ChangeSource
from models.tables.bindings import bindings, history
from models.tables.commits import commit_marks
from models.tables.identities import followers
from service.storage.database import Database
from service.storage.group_commit import Work
from service.storage.inserting import AppendedRows, Condition, TakenError, appending, insert_unless_taken

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = {"account": "main", "openid": "oAnna", "subscribed": True, "followed_at": NOW}
SHOP = {"client": "shop", "account": "main"}


def _change(user_id: str) -> dict[str, Any]:
    made = {"change": Change.BOUND, "door": ChangeSource.TICKET, "at": NOW}
    return {**SHOP, "user_id": user_id, "follower_id": None, **made}


def _mark(name: str) -> dict[str, Any]:
    return {"id": name, "at": NOW}


async def _all(database: Database, *columns: sa.Column[Any]) -> list[Any]:
    async with database.reading() as connection:
        return [tuple(row) for row in await connection.execute(sa.select(*columns).order_by(columns[0]))]


async def test_an_insert_returns_the_key_of_its_row(database: Database) -> None:
    number = await database.attempt(lambda it: insert_unless_taken(it, followers, ANNA))
    assert await _all(database, followers.c.id) == [(number,)]


async def test_an_insert_that_a_constraint_forbids_leaves_its_transaction_standing(database: Database) -> None:
    await database.attempt(lambda it: insert_unless_taken(it, followers, ANNA))

    def work(connection: sa.Connection) -> list[Any]:
        numbers = [insert_unless_taken(connection, followers, ANNA | {"openid": it}) for it in ("oAnna", "oBen")]
        connection.execute(sa.insert(commit_marks), _mark("standing"))
        return numbers

    taken, number = await database.attempt(work)
    assert taken is None
    assert await _all(database, followers.c.openid) == [("oAnna",), ("oBen",)]
    assert (number,) in await _all(database, followers.c.id)
    assert await _all(database, commit_marks.c.id) == [("standing",)]


async def test_rows_of_one_table_get_ascending_ids(database: Database) -> None:
    users = [f"user{number}" for number in range(20)]

    def work(connection: sa.Connection) -> None:
        with appending(connection) as rows:
            rows.add(commit_marks, _mark("beside"))
            for user in users:
                rows.add(history, _change(user))

    await database.attempt(work)
    assert [user for _, user in await _all(database, history.c.id, history.c.user_id)] == users
    assert await _all(database, commit_marks.c.id) == [("beside",)]


async def _statements(database: Database, work: Work[None], *tables: sa.Table, single: bool = False) -> int | None:
    """Run *work*; return by how many statements the rows of *tables* were written, None if that is not known."""
    traced, dialect = list[str](), writing_engine(database).dialect.name

    def watched(connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        if dialect == "sqlite":
            driver.set_trace_callback(traced.append)
        work(connection)

    await database.attempt(watched, single=single)
    if dialect == "postgresql":  # numbers the statements of each transaction
        number = [sa.literal_column("xmin::text"), sa.literal_column("cmin::text")]
        async with database.reading() as connection:
            queries = [await connection.execute(sa.select(*number).select_from(table)) for table in tables]
        return len({tuple(row) for rows in queries for row in rows})
    return sum("INSERT" in one for one in traced) if dialect == "sqlite" else None


async def test_single_rows_of_several_tables_are_one_statement_where_that_is_possible(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        with appending(connection) as rows:
            rows.add(history, _change("42"))
            rows.add(commit_marks, _mark("mark"))
            rows.add(bindings, {**SHOP, "user_id": "42", "follower_id": 1, "bound_at": NOW})

    written = await _statements(database, work, history, commit_marks, bindings)
    assert written == {"postgresql": 1, "sqlite": 3}.get(writing_engine(database).dialect.name)
    assert await _all(database, history.c.user_id, history.c.at) == [("42", NOW)]
    assert await _all(database, commit_marks.c.id, commit_marks.c.at) == [("mark", NOW)]
    assert await _all(database, bindings.c.user_id, bindings.c.bound_at) == [("42", NOW)]


def _bind_anna(connection: sa.Connection, *, users: Sequence[str] = ("42",)) -> None:
    """Write Anna, her binding and its history late, which refer to her id."""
    rows = AppendedRows(late=True)
    number = rows.insert_unless_taken(connection, followers, ANNA)
    rows.insert_unless_taken(
        connection, bindings, {**SHOP, "user_id": users[0], "follower_id": number, "bound_at": NOW}
    )
    for user in users:
        rows.add(history, _change(user) | {"follower_id": number})
    rows.add(commit_marks, _mark("bound"))
    rows.write(connection)


@pytest.mark.parametrize("users", [("42",), ("42", "43")], ids=["single rows", "two rows of one table"])
async def test_rows_refer_to_the_id_of_a_late_row(database: Database, users: Sequence[str]) -> None:
    await database.attempt(lambda it: insert_unless_taken(it, followers, ANNA | {"openid": "oBen"}))
    await database.attempt(lambda it: _bind_anna(it, users=users))
    [_, (anna, _)] = await _all(database, followers.c.id, followers.c.openid)
    assert await _all(database, bindings.c.user_id, bindings.c.follower_id) == [("42", anna)]
    assert await _all(database, history.c.user_id, history.c.follower_id) == [(user, anna) for user in users]


@pytest.mark.parametrize("users", [("42",), ("42", "43")], ids=["single rows", "two rows of one table"])
@pytest.mark.parametrize("taken", ["the person", "the user"])
async def test_no_row_follows_a_late_row_that_is_taken(
    database: Database, taken: str, users: Sequence[str]
) -> None:
    def before(connection: sa.Connection) -> None:
        if taken == "the person":
            insert_unless_taken(connection, followers, ANNA)
        else:
            insert_unless_taken(connection, bindings, {**SHOP, "user_id": "42", "follower_id": 7, "bound_at": NOW})

    def work(connection: sa.Connection) -> None:
        with pytest.raises(TakenError):
            _bind_anna(connection, users=users)

    await database.attempt(before)
    await database.attempt(work)  # the transaction goes on
    assert await _all(database, history.c.id) == await _all(database, commit_marks.c.id) == []
    assert len(await _all(database, bindings.c.id)) == (taken == "the user")


def _bind_a_newcomer(connection: sa.Connection, *, users: Sequence[str] = ("42",)) -> None:
    """Write Ben with a history late, without a transaction around it, unless Anna is there."""
    rows = AppendedRows(late=True, alone=True)
    anna = Condition(followers.c.openid == sa.bindparam("her"), {"her": "oAnna"})
    number = rows.add_late(followers, ANNA | {"openid": "oBen"}, unless=anna)
    for user in users:
        rows.add(history, _change(user) | {"follower_id": number})
    rows.add(commit_marks, _mark("bound"))
    rows.write(connection)


async def test_late_rows_alone_are_written_by_one_statement(postgres: Database) -> None:
    assert await _statements(postgres, _bind_a_newcomer, followers, history, commit_marks, single=True) == 1
    [(ben, _)] = await _all(postgres, followers.c.id, followers.c.openid)
    assert await _all(postgres, history.c.user_id, history.c.follower_id) == [("42", ben)]


async def test_nothing_is_written_beside_a_row_that_forbids_it(postgres: Database) -> None:
    await postgres.attempt(lambda it: insert_unless_taken(it, followers, ANNA))
    with pytest.raises(TakenError):
        await postgres.attempt(_bind_a_newcomer, single=True)
    assert await _all(postgres, followers.c.openid) == [("oAnna",)]
    assert await _all(postgres, history.c.id) == await _all(postgres, commit_marks.c.id) == []


async def test_late_rows_alone_that_need_several_statements_are_left_to_a_transaction(postgres: Database) -> None:
    with pytest.raises(TakenError):
        await postgres.attempt(lambda connection: _bind_a_newcomer(connection, users=("42", "43")), single=True)
    assert await _all(postgres, followers.c.openid) == await _all(postgres, history.c.id) == []


async def test_a_late_row_does_not_hide_that_another_row_is_forbidden(database: Database) -> None:
    await database.attempt(lambda it: insert_unless_taken(it, commit_marks, _mark("bound")))
    with pytest.raises(IntegrityError):
        await database.attempt(_bind_anna)
    assert await _all(database, followers.c.id) == await _all(database, bindings.c.id) == []


@pytest.mark.parametrize("fails_first", [False, True])
async def test_a_forbidden_row_takes_back_the_others_with_it(database: Database, fails_first: bool) -> None:
    await database.attempt(lambda it: insert_unless_taken(it, commit_marks, _mark("taken")))

    def work(connection: sa.Connection) -> None:
        with appending(connection) as rows:
            added = [(commit_marks, _mark("taken")), (history, _change("42"))]
            for table, row in added if fails_first else reversed(added):
                rows.add(table, row)

    with pytest.raises(IntegrityError):
        await database.attempt(work)
    assert await _all(database, history.c.id) == []


async def test_an_error_of_the_transaction_is_raised_before_any_row_is_written(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        with suppress(KeyError), appending(connection) as rows:
            rows.add(commit_marks, _mark("unwritten"))
            raise KeyError

    await database.attempt(work)
    assert await _all(database, commit_marks.c.id) == []
