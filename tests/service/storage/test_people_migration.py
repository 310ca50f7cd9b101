"""The migration to the followers table keeps every row, forwards and backwards."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

import migrations
from models.binding import Binding, Change, ChangeSource, UserId
from models.errors import StoreUnavailable
from models.events import OpenId
from models.language import Lang
from models.tables.identities import followers as identities
from models.ticket import Ending, Outcome, Reason, Status, TicketId, Via
from service.bindings.repository import Bindings, Entry
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Follower, Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.tickets.endings import Endings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANNA, BEN, CARL = OpenId("oAnna"), OpenId("oBen"), OpenId("oCarl")
EVERYBODY = Identities(FieldCipher.of([]))
KEY = "an encryption key of the tests, long enough"


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


BOUND = {"client": "shop", "account": "main", "last_login_at": None, "bound_at": _milliseconds(NOW)}
CHANGED = {"client": "shop", "account": "main", "door": "ticket", "at": _milliseconds(NOW)}
ENDED = {
    "client": "shop",
    "account": "main",
    "answered_at": _milliseconds(NOW),
    "expires_at": _milliseconds(LATER),
    "via": "page",
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "followers": [
        {
            "account": "main",
            "openid": ANNA,
            "unionid": "uAnna",
            "subscribed": False,
            "lang": "en",
            "asked_at": _milliseconds(NOW),
            "followed_at": _milliseconds(NOW),
        }
    ],
    "bindings": [
        BOUND | {"user_id": "ünï 42 😀", "openid": ANNA, "last_login_at": _milliseconds(LATER)},
        BOUND | {"user_id": "43", "openid": BEN},  # written when no follower was stored
        BOUND | {"user_id": "44", "openid": "oanna"},
    ],
    "history": [
        CHANGED | {"user_id": "43", "openid": CARL, "change": "bound"},
        CHANGED | {"user_id": "43", "openid": CARL, "change": "replaced"},
        CHANGED | {"user_id": "43", "openid": BEN, "change": "bound"},
        CHANGED | {"user_id": "45", "openid": None, "change": "erased", "door": "unfollow"},
    ],
    "endings": [
        ENDED | {"ticket": "tA", "status": "confirmed", "outcome": "login", "openid": ANNA, "user_id": "42"},
        ENDED | {"ticket": "ta", "status": "rejected", "reason": "declined", "openid": CARL},
        ENDED | {"ticket": "tb", "status": "cancelled", "account": None},
    ],
}


async def _step(database: Database, way: Callable[[Config, str], None], revision: str) -> None:
    async with database.writing() as connection:
        await connection.run_sync(lambda it: way(migrations.config(it), revision))


@pytest.fixture
async def older(database: Database) -> Database:
    """A database as it was before people had numbers, with one person in every table."""
    await _step(database, command.downgrade, "0002")
    async with database.writing() as connection:
        for name, rows in ROWS.items():
            for row in rows:
                table = sa.table(name, *(sa.column(column) for column in row))
                await connection.execute(sa.insert(table).values(_as_kept(row, database)))
    return database


def _as_kept(row: dict[str, Any], database: Database) -> dict[str, Any]:
    """MySQL and MariaDB keep text as bytes."""
    if database._engine.dialect.name not in ("mysql", "mariadb"):
        return row
    return {name: value.encode() if isinstance(value, str) else value for name, value in row.items()}


async def test_each_person_named_in_any_table_becomes_one_follower(older: Database) -> None:
    await older.upgrade()
    followers = Followers(older, EVERYBODY)
    assert await followers.get("main", ANNA) == Follower("main", ANNA, False, "uAnna", Lang.EN, asked_at=NOW)
    for openid in (BEN, CARL, OpenId("oanna")):
        assert await followers.get("main", openid) == Follower("main", openid, subscribed=True)
    async with older.reading() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(identities)) == 4


async def test_bindings_endings_and_history_name_whom_they_named(older: Database) -> None:
    await older.upgrade()
    bindings, endings = Bindings(older, EVERYBODY), Endings(older, EVERYBODY)
    user = UserId("ünï 42 😀")
    [anna] = await bindings.of_user("shop", user)
    assert anna == Binding("shop", "main", user, ANNA, NOW, LATER, unionid="uAnna", subscribed=False)
    for number, openid in (("43", BEN), ("44", "oanna")):
        assert [it.openid for it in await bindings.of_user("shop", UserId(number))] == [openid]
    told = [(it.change, it.openid, it.at) for it in await bindings.history("shop", UserId("43"))]
    assert told == [(Change.BOUND, BEN, NOW), (Change.REPLACED, CARL, NOW), (Change.BOUND, CARL, NOW)]
    [erased] = await bindings.history("shop", UserId("45"))
    assert erased == Entry("main", UserId("45"), None, Change.ERASED, ChangeSource.UNFOLLOW, NOW)
    given = {"client": "shop", "answered_at": NOW, "expires_at": LATER, "via": Via.PAGE}
    logged_in = {"status": Status.CONFIRMED, "outcome": Outcome.LOGIN, "openid": ANNA, "user_id": "42"}
    declined = {"status": Status.REJECTED, "reason": Reason.DECLINED, "openid": CARL}
    assert await endings.of(TicketId("tA")) == Ending(TicketId("tA"), account="main", **given, **logged_in)
    assert await endings.of(TicketId("ta")) == Ending(TicketId("ta"), account="main", **given, **declined)
    assert await endings.of(TicketId("tb")) == Ending(TicketId("tb"), status=Status.CANCELLED, **given)


async def test_a_migrated_follower_can_be_erased(older: Database, dump: Callable[[], Awaitable[str]]) -> None:
    await older.upgrade()
    for openid in (ANNA, BEN, CARL):
        await FollowerErasure(older, EVERYBODY).unfollowed("main", openid, at=NOW, erase=True, now=LATER)
    kept = await dump()
    for name in (ANNA, BEN, CARL, "uAnna"):
        assert name not in kept


async def test_taken_back_the_rows_are_as_they_were(older: Database) -> None:
    await older.upgrade()
    await _step(older, command.downgrade, "0002")
    for name in ("bindings", "history", "endings"):
        table = sa.table(name, *(sa.column(column) for column in (*ROWS[name][0], "openid")))
        async with older.reading() as connection:
            rows = (
                (await connection.execute(sa.select(table.c.openid).order_by(sa.text("openid")))).scalars().all()
            )
        wanted = [row.get("openid") for row in ROWS[name]]
        assert sorted(_text(it) for it in rows) == sorted(it or "" for it in wanted)
    await older.upgrade()


async def test_what_an_older_service_writes_meanwhile_is_not_lost(older: Database) -> None:
    """Red when `_set_aside` of 0003 does not lock the tables (PostgreSQL), or copies them (MariaDB)."""
    row = BOUND | {"user_id": "46", "openid": "oDora"}
    table = sa.table("bindings", *(sa.column(column) for column in row))
    async with older.writing() as connection:
        await connection.execute(sa.insert(table).values(_as_kept(row, older)))
        upgrade = asyncio.create_task(older.upgrade())
        early, _ = await asyncio.wait({upgrade}, timeout=0.5)
        assert not early, "the tables were changed while a transaction was writing to them"
    await upgrade
    assert [it.openid for it in await Bindings(older, EVERYBODY).of_user("shop", UserId("46"))] == ["oDora"]


async def test_a_migration_that_broke_off_begins_again(older: Database) -> None:
    """Red when `_set_aside` of 0003 does not look for what was set aside before (MariaDB)."""
    async with older.writing() as connection:
        await connection.execute(sa.text("CREATE TABLE audit (in_the_way INTEGER)"))
    with pytest.raises((DBAPIError, StoreUnavailable)):
        await older.upgrade()
    async with older.writing() as connection:
        await connection.execute(sa.text("DROP TABLE audit"))
    await older.upgrade()
    await older.check_schema()
    bindings = Bindings(older, EVERYBODY)
    for user, openid in (("ünï 42 😀", ANNA), ("43", BEN)):
        assert [it.openid for it in await bindings.of_user("shop", UserId(user))] == [openid]


async def test_sealed_people_are_not_taken_back_to_where_nothing_could_open_them(database: Database) -> None:
    sealed = Identities(FieldCipher.of([KEY]))
    await Followers(database, sealed).seen(Sender("main", ANNA, NOW))
    await _step(database, command.downgrade, "0003")
    with pytest.raises(RuntimeError, match="openids are encrypted"):
        await _step(database, command.downgrade, "0002")
    await database.upgrade()
    await database.check_schema()
    assert await Followers(database, sealed).get("main", ANNA) is not None


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
