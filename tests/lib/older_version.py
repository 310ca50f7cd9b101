"""What a process of the version before persons writes and reads: its statements, with the columns that it knew.

Each function works in the caller's transaction. Instants are aware datetimes.
"""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from alembic import command

import migrations
from models.binding import Change, ChangeSource
from models.events import OpenId
from models.tables import bindings as tables
from models.tables.identities import followers as identities
from models.tables.tickets import endings
from service.crypto.field_encryption import Column, FieldCipher
from service.identities.repository import Identities
from service.storage.database import Database

REVISION: Final = "0006"
_NAMES: Final = ("openid", "openid_sealed", "unionid", "unionid_sealed", "sealed_by")


def _known(table: sa.Table, *names: str) -> sa.TableClause:
    return sa.table(table.name, *(sa.column(name, table.c[name].type) for name in names))


FOLLOWERS: Final = _known(
    identities, "id", "account", "appid", *_NAMES, "subscribed", "lang", "asked_at", "followed_at"
)
BINDINGS: Final = _known(
    tables.bindings, "id", "client", "account", "user_id", "follower_id", "bound_at", "last_login_at", "consent"
)
HISTORY: Final = _known(
    tables.history, "id", "client", "account", "user_id", "follower_id", "change", "door", "at"
)
_ENDING: Final = ("ticket", "client", "account", "status", "outcome", "follower_id", "user_id")
ENDINGS: Final = _known(endings, *_ENDING, "answered_at", "expires_at")
TABLES: Final = (FOLLOWERS, BINDINGS, HISTORY, ENDINGS)


async def step_back(database: Database, revision: str = REVISION) -> None:
    """Take the tables back to what that version worked with, or one before it."""
    async with database.writing() as connection:
        await connection.run_sync(lambda it: command.downgrade(migrations.config(it), revision))
        if connection.dialect.name in ("mysql", "mariadb"):
            # Copied: MariaDB counts dropped columns to the size of a row until the table is, and refuses new ones.
            for table in (FOLLOWERS, BINDINGS):
                await connection.execute(sa.text(f"ALTER TABLE {table.name} FORCE"))


def follow(
    connection: sa.Connection, cipher: FieldCipher, account: str, openid: str, unionid: str | None, *, at: datetime
) -> int:
    """Store a follower; return their id."""
    names = Identities(cipher).names(account, OpenId(openid), unionid)
    row = {"account": account, "appid": "", **names, "subscribed": True, "followed_at": at}
    connection.execute(sa.insert(FOLLOWERS).values(row))
    return number_of(connection, cipher, account, openid)


def learn(connection: sa.Connection, cipher: FieldCipher, account: str, openid: str, unionid: str) -> None:
    """Store the unionid that WeChat told."""
    this = FOLLOWERS.c.id == number_of(connection, cipher, account, openid)
    names = Identities(cipher).names(account, OpenId(openid), unionid)
    connection.execute(sa.update(FOLLOWERS).where(this).values(names))


def bind(
    connection: sa.Connection, client: str, account: str, user: str, follower: int, *, at: datetime, **how: Any
) -> None:
    """Bind a user, and write it to the history."""
    row = {"client": client, "account": account, "user_id": user, "follower_id": follower}
    connection.execute(sa.insert(BINDINGS).values(row | {"bound_at": at} | how))
    _record(connection, row, Change.BOUND, ChangeSource.TICKET, at=at)


def disconnect(connection: sa.Connection, client: str, account: str, user: str, *, at: datetime) -> None:
    """Remove a user's binding in an account, and write it to the history."""
    of = BINDINGS.c
    this = sa.and_(of.client == client, of.account == account, of.user_id == user)
    row = connection.execute(sa.select(of.client, of.account, of.user_id, of.follower_id).where(this)).one()
    assert connection.execute(sa.delete(BINDINGS).where(this)).rowcount == 1
    _record(connection, row._asdict(), Change.DISCONNECTED, ChangeSource.SITE, at=at)


def log_in(
    connection: sa.Connection, cipher: FieldCipher, client: str, account: str, openid: str, *, at: datetime
) -> str | None:
    """Return the user of a follower; of one who is bound in another account alone, add the binding here."""
    number, of = number_of(connection, cipher, account, openid, hold=True), BINDINGS.c
    here = sa.and_(of.client == client, of.account == account, of.follower_id == number)
    if user := connection.scalar(sa.select(of.user_id).where(here)):
        connection.execute(sa.update(BINDINGS).where(here).values(last_login_at=at))
        return str(user)
    mine, others = FOLLOWERS.alias(), FOLLOWERS
    same = sa.select(others.c.id).where(mine.c.id == number, others.c.unionid == mine.c.unionid)
    known = sa.select(of.user_id).where(of.client == client, of.follower_id.in_(same)).order_by(of.account)
    if user := connection.scalar(known.limit(1)):
        bind(connection, client, account, user, number, at=at)
    return user


def users_bindings(connection: sa.Connection, client: str, user: str) -> int:
    """Read what the site's list of a user's bindings reads, in one statement; return how many."""
    joined = sa.join(BINDINGS, FOLLOWERS, FOLLOWERS.c.id == BINDINGS.c.follower_id)
    theirs = (BINDINGS.c.client == client, BINDINGS.c.user_id == user)
    columns = [it for it in (*BINDINGS.c, *FOLLOWERS.c) if it.name != "id"]
    return len(connection.execute(sa.select(*columns).select_from(joined).where(*theirs)).all())


def number_of(
    connection: sa.Connection, cipher: FieldCipher, account: str, openid: str, *, hold: bool = False
) -> int:
    """Return a follower's id; *hold* locks the row."""
    forms = cipher.forms(openid, Column.OPENID)
    query = sa.select(FOLLOWERS.c.id).where(FOLLOWERS.c.account == account, FOLLOWERS.c.openid.in_(forms))
    return int(connection.execute(query.with_for_update() if hold else query).scalar_one())


def _record(
    connection: sa.Connection, row: dict[str, Any], change: Change, source: ChangeSource, *, at: datetime
) -> None:
    entry = row | {"change": change, "door": source, "at": at}
    connection.execute(sa.insert(HISTORY).values(entry))
