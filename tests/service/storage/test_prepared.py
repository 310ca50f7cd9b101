"""Statements that the driver executes without SQLAlchemy's own execution.

Red when a value is not converted as SQLAlchemy converts it, when an error is not SQLAlchemy's or contains a value,
when a connection is used again after a statement on it was cancelled or lost, and when a failed statement leaves
its cursor open.
"""

import asyncio
import sqlite3
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.binding import Change, ChangeSource
from models.errors import StoreUnavailable
from models.language import Lang
from models.tables.bindings import history
from models.tables.identities import followers
from models.tables.outbox import outbox
from service.storage.database import Database
from service.storage.prepared import Prepared

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA: Final[dict[str, Any]] = {
    "account": "main",
    "openid": "oÄnna",
    "subscribed": True,
    "lang": Lang.ZH,
    "asked_at": None,
    "followed_at": NOW,
}
CHANGE: Final[dict[str, Any]] = {
    "client": "shop",
    "account": "main",
    "follower_id": None,
    "change": Change.BOUND,
    "door": ChangeSource.TICKET,
    "at": NOW,
}
READ: Final = sa.select(*(followers.c[name] for name in ANNA)).where(
    followers.c.openid == sa.bindparam("whose"), followers.c.account == "main"
)


def _insert(table: sa.Table, row: dict[str, Any]) -> Prepared:
    return Prepared(sa.insert(table), tuple(row))


async def test_values_are_written_and_read_as_by_sqlalchemy(database: Database) -> None:
    await database.attempt(lambda it: _insert(followers, ANNA).run(it, ANNA))
    async with database.reading() as connection:
        [row] = await connection.execute(READ, {"whose": "oÄnna"})
    assert tuple(row) == tuple(ANNA.values())
    assert await database.attempt(lambda it: Prepared(READ).rows(it, {"whose": "oÄnna"})) == [tuple(row)]
    assert await database.attempt(lambda it: Prepared(READ).rows(it, {"whose": "oÄNNA"})) == []


async def test_bytes_are_stored_unchanged(database: Database) -> None:
    about = {"message": "m", "target": "t", "event": "e", "at": NOW, "due_at": NOW, "tries": 0, "erased": False}
    row = about | {"state": outbox.c.state.type.members("pending"), "payload": bytes(range(256))}
    await database.attempt(lambda it: _insert(outbox, row).run(it, row))
    read = Prepared(sa.select(outbox.c.payload))
    assert await database.attempt(lambda it: read.rows(it, {})) == [(bytes(range(256)),)]


async def test_it_tells_how_many_rows_were_changed(database: Database) -> None:
    rename = Prepared(sa.update(followers).where(followers.c.openid == sa.bindparam("whose")).values(lang=Lang.EN))
    await database.attempt(lambda it: _insert(followers, ANNA).run(it, ANNA))
    assert await database.attempt(lambda it: [rename.run(it, {"whose": who}) for who in ("oÄnna", "oBen")]) == [
        1,
        0,
    ]


async def test_several_rows_are_inserted_in_their_order(database: Database) -> None:
    rows = [CHANGE | {"user_id": f"user{number}"} for number in range(20)]
    await database.attempt(lambda it: _insert(history, rows[0]).run_each(it, rows))
    read = Prepared(sa.select(history.c.user_id).order_by(history.c.id))
    assert await database.attempt(lambda it: read.rows(it, {})) == [(row["user_id"],) for row in rows]


async def test_a_violated_constraint_is_an_error_of_sqlalchemy_without_the_values(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        for _ in range(2):
            _insert(followers, ANNA).run(connection, ANNA)

    with pytest.raises(IntegrityError) as raised:
        await database.attempt(work)
    assert "INSERT INTO followers" in str(raised.value)
    assert raised.value.params is None
    assert await database.read(lambda it: it.scalar(sa.select(sa.func.count()).select_from(followers))) == 0


def _noting(statement: Prepared, seen: list[bool]) -> Callable[[sa.Connection], None]:
    """Execute *statement*, which fails, and note whether its connection may be used again."""

    def work(connection: sa.Connection) -> None:
        try:
            statement.rows(connection, {})
        finally:
            seen.append(not connection.invalidated)

    return work


async def test_a_connection_whose_statement_was_cancelled_is_not_used_again(database: Database) -> None:
    if database._group:
        pytest.skip("statements run in a thread here, which is not cancelled")
    sleep = sa.func.pg_sleep if database._engine.dialect.name == "postgresql" else sa.func.sleep
    usable = list[bool]()
    slow = _noting(Prepared(sa.select(sa.literal_column("'slow'"), sleep(0.5))), usable)
    for _ in range(12):  # more than the pool has
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await database.read(slow)
    assert usable == [False] * 12
    answers = await asyncio.gather(*(database.read(lambda it: it.scalar(sa.text("SELECT 1"))) for _ in range(12)))
    assert answers == [1] * 12


async def test_a_connection_that_the_server_ended_is_replaced(database: Database) -> None:
    if database._engine.dialect.name != "postgresql":
        pytest.skip("no statement ends its own connection here")
    usable = list[bool]()
    end = _noting(Prepared(sa.select(sa.func.pg_terminate_backend(sa.func.pg_backend_pid()))), usable)
    with pytest.raises(StoreUnavailable):
        await database.read(end)
    assert usable == [False]
    assert await database.read(lambda it: it.scalar(sa.text("SELECT 1"))) == 1


async def test_an_error_of_the_statement_leaves_its_connection(database: Database) -> None:
    await database.attempt(lambda it: _insert(followers, ANNA).run(it, ANNA))
    usable = list[bool]()
    with pytest.raises(IntegrityError):
        await database.attempt(_noting(Prepared(sa.insert(followers).values(ANNA)), usable))
    assert usable == [True]


async def test_an_error_of_the_statement_leaves_no_open_cursor(database: Database) -> None:
    if not database._group:
        pytest.skip("to free a cursor waits for no lock here")
    await database.attempt(lambda it: _insert(followers, ANNA).run(it, ANNA))
    with pytest.raises(IntegrityError) as raised:
        await database.attempt(lambda it: _insert(followers, ANNA).run(it, ANNA))
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(raised.value.orig.__traceback__)]
    [cursor] = {names["cursor"] for names in frames if "cursor" in names}
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.fetchall()
