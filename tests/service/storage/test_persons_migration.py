"""The migration to persons keeps every row, and a process of the version before goes on beside this one.

Red when 0007 gives `method` no default or a new column NOT NULL, does not look for what an interrupted run added,
or when neither `TicketDecisions` nor `join_all` joins what was stored without a person.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import older_version as older
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from decided import claim

from models.binding import Policy, UserId
from models.events import OpenId
from models.method import Method
from models.tables.bindings import bindings as bindings_table
from models.tables.columns import metadata
from models.tables.identities import followers as table
from models.ticket import Outcome, Status
from service.bindings import conflicts
from service.bindings.repository import Bindings
from service.crypto.field_encryption import FieldCipher
from service.identities import joining
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BOTH = ("main", "second")


@pytest.fixture
def cipher(identities: Identities) -> FieldCipher:
    """The keys of both processes; this one's accounts are in one Open Platform account."""
    identities.open_platforms = dict.fromkeys((*BOTH, "third"), "")
    return identities.cipher


async def do(database: Database, work: Callable[..., T], *args: Any, **how: Any) -> T:
    """Do *work* in a transaction of its own."""
    return await database.attempt(lambda connection: work(connection, *args, **how))


async def stored(database: Database) -> list[list[Any]]:
    """Return all rows, with the columns of before."""

    def work(connection: sa.Connection) -> list[list[Any]]:
        return [sorted(connection.execute(sa.select(it)).all(), key=repr) for it in older.TABLES]

    return await database.read(work)


async def known(
    database: Database, cipher: FieldCipher, name: str, *, account: str = "main", user: str | None = None
) -> int:
    """Let the older process store a person of this name, and bind *user*; return the follower's id."""
    number = await do(database, older.follow, cipher, account, f"o{name}", None, at=NOW)
    await do(database, older.learn, cipher, account, f"o{name}", f"u{name}")
    if user:
        await do(database, older.bind, "shop", account, user, number, at=NOW)
    return number


async def log_in(decisions: TicketDecisions, name: str, *, account: str) -> str | None:
    """Let a person scan for a login in this version; return the user."""
    ticket = claim(f"login-{account}-{name}", account=account)
    ended = await decisions.confirm(ticket, OpenId(f"o{name}"), policy=Policy(), state=None, now=NOW)
    assert ended is not None
    return ended.user_id


async def persons_of(database: Database, *numbers: int) -> set[int | None]:
    query = sa.select(table.c.person_id).where(table.c.id.in_(numbers))
    return set(await database.read(lambda connection: connection.scalars(query).all()))


async def users(bindings: Bindings, user: str) -> list[str]:
    return [it.account for it in await bindings.of_user("shop", UserId(user))]


async def test_every_row_is_as_it_was_forwards_and_backwards(
    database: Database, cipher: FieldCipher, bindings: Bindings
) -> None:
    await older.step_back(database)
    for account in BOTH:
        await known(database, cipher, "Anna", account=account, user="ünï 42 😀")
        await known(database, cipher, "Ben", account=account, user=f"43-{account}")
    await do(database, older.disconnect, "shop", "second", "43-second", at=LATER)
    number = await do(database, older.follow, cipher, "main", "oanna", None, at=NOW)
    await do(database, older.bind, "club", "main", "44", number, at=NOW, last_login_at=LATER, consent="v1")
    ending = {"ticket": "tA", "client": "club", "account": "main", "follower_id": number, "user_id": "44"}
    ending |= {"status": Status.CONFIRMED, "outcome": Outcome.LOGIN, "answered_at": NOW, "expires_at": LATER}
    await do(database, lambda connection: connection.execute(sa.insert(older.ENDINGS).values(ending)))
    before = await stored(database)
    assert [len(rows) for rows in before] == [5, 4, 6, 1]
    await database.upgrade()
    assert await stored(database) == before
    assert {it.method for it in await bindings.of_user("shop", UserId("ünï 42 😀"))} == {Method.SCAN}
    await older.step_back(database)
    assert await stored(database) == before
    await database.upgrade()


async def test_ids_of_erased_followers_stay_unused(database: Database, cipher: FieldCipher) -> None:
    await older.step_back(database)
    await known(database, cipher, "Anna")
    last = await known(database, cipher, "Ben")
    await do(database, lambda connection: connection.execute(sa.delete(table).where(table.c.id == last)))
    await database.upgrade()
    await older.step_back(database)
    await database.upgrade()
    assert await known(database, cipher, "Ben") > last


async def test_a_run_that_was_interrupted_after_any_statement_is_finished(
    database: Database, cipher: FieldCipher
) -> None:
    """MariaDB keeps each statement, the others take all back. Red without one of the checks of 0007 to 0011."""
    await known(database, cipher, "Anna", user="42")
    for most in range(100):
        await older.step_back(database)
        finished = await interrupted(database, after=most)
        await database.upgrade()
        await database.check_schema()
        assert await database.read(difference) == []
        if finished:
            break
    assert most == 28, "statements of 0007 to 0011"
    assert [len(rows) for rows in await stored(database)] == [1, 1, 1, 0]


class _StoppedError(Exception):
    pass


async def interrupted(database: Database, *, after: int) -> bool:
    """Migrate, and stop after so many changes of tables; return whether there were no more."""
    engine, changes = database._engine.sync_engine, 0

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal changes
        if statement.lstrip().startswith(("ALTER", "CREATE")):
            if changes == after:
                raise _StoppedError
            changes += 1

    sa.event.listen(engine, "before_cursor_execute", stop)
    try:
        await database.upgrade()
    except _StoppedError:
        return False
    finally:
        sa.event.remove(engine, "before_cursor_execute", stop)
    return True


def difference(connection: sa.Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_request_that_reads_one_table_after_the_other_and_those_behind_it_go_on(
    database: Database, cipher: FieldCipher
) -> None:
    """Red when 0007 does not lock the tables together, or waits for them without end, or shares a transaction."""
    if database._engine.dialect.name != "postgresql":
        pytest.skip("the others lock no table while they wait for another")
    await older.step_back(database, "0005")
    async with database.writing() as connection:
        await connection.execute(sa.select(older.BINDINGS))
        upgrade = asyncio.create_task(database.upgrade())
        await asyncio.sleep(0.3)
        await connection.execute(sa.select(older.FOLLOWERS))
        async with asyncio.timeout(1.5):
            await known(database, cipher, "Anna")
        assert not upgrade.done()
    await upgrade
    await database.check_schema()


async def test_what_an_older_process_stores_is_joined_at_the_next_login(
    database: Database, cipher: FieldCipher, decisions: TicketDecisions, bindings: Bindings
) -> None:
    """Red when `TicketDecisions._confirm` does not join."""
    numbers = [
        await known(database, cipher, "Anna", user="42"),
        await known(database, cipher, "Anna", account="second"),
    ]
    assert await persons_of(database, *numbers) == {None}
    assert await log_in(decisions, "Anna", account="second") == "42"
    assert await persons_of(database, *numbers) == {numbers[0]}
    assert await users(bindings, "42") == ["main", "second"]
    await do(database, older.disconnect, "shop", "main", "42", at=LATER)
    assert await log_in(decisions, "Anna", account="main") == "42", "the other binding stands for the person"


async def test_what_an_older_process_stores_is_joined_in_the_background(
    database: Database, cipher: FieldCipher, followers: Followers, bindings: Bindings
) -> None:
    """Red when `join_all` leaves out rows."""
    numbers = [await known(database, cipher, "Anna", account=account, user="42") for account in BOTH]
    other = await known(database, cipher, "Ben")
    assert [await joining.join_all(followers, table.c.account == account, "") for account in BOTH] == [2, 0]
    assert await persons_of(database, *numbers) == {numbers[0]}
    third = await known(database, cipher, "Anna", account="third")  # by the process that still runs
    assert await joining.join_all(followers, table.c.account == "third", "") == 1
    assert await persons_of(database, *numbers, third) == {numbers[0]}
    assert await persons_of(database, other) == {other}
    assert await users(bindings, "42") == list(BOTH)


async def test_an_older_process_recognises_what_this_one_joined(
    database: Database, cipher: FieldCipher, decisions: TicketDecisions, bindings: Bindings
) -> None:
    """Red when 0007 makes one of its columns NOT NULL."""
    for account in BOTH:
        await known(database, cipher, "Anna", account=account, user="42" if account == "main" else None)
    assert await log_in(decisions, "Anna", account="second") == "42"
    await known(database, cipher, "Anna", account="third")
    assert await do(database, older.log_in, cipher, "shop", "third", "oAnna", at=LATER) == "42"
    assert await do(database, older.users_bindings, "shop", "42") == 3
    assert await users(bindings, "42") == [*BOTH, "third"]


async def test_rows_of_an_older_process_undo_no_single_disconnect(
    database: Database, cipher: FieldCipher, followers: Followers, decisions: TicketDecisions, bindings: Bindings
) -> None:
    for account in BOTH:
        await known(database, cipher, "Anna", account=account, user="42")
    assert await bindings.disconnect("shop", UserId("42"), account="second", now=NOW) == 1
    await known(database, cipher, "Anna", account="third", user="42")
    for account in (*BOTH, "third"):
        await joining.join_all(followers, table.c.account == account, "")
    assert await log_in(decisions, "Anna", account="second") is None
    assert await users(bindings, "42") == ["main", "third"]


async def test_two_users_of_one_person_are_a_conflict_and_each_identity_goes_on(
    database: Database, cipher: FieldCipher, identities: Identities, decisions: TicketDecisions
) -> None:
    told = list[int]()
    decisions.followers.on_joined = lambda _connection, _identities, person: told.append(person)
    for account, user in zip(BOTH, ("42", "43"), strict=True):
        await known(database, cipher, "Anna", account=account, user=user)
    for account, user in zip(BOTH, ("42", "43"), strict=True):
        assert await log_in(decisions, "Anna", account=account) == user
    [found] = await database.read(lambda connection: conflicts.find(connection, identities))
    assert [it.user_id for it in found.bindings] == ["42", "43"]
    assert len(told) == 1
    primary = sa.select(sa.func.count(bindings_table.c.primary_of))
    assert await database.read(lambda connection: connection.scalar(primary)) == 0, "neither stands for the person"
