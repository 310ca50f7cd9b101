"""Re-encrypts all openids, unionids, names and pictures with the newest key, while services run.

Works in small transactions. A row is updated only if it was not changed since it was read.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError

from models.errors import StoreUnavailable
from models.tables.identities import followers
from models.tables.outbox import outbox
from models.tables.profiles import profiles
from service.config.settings import ConfigError, Settings
from service.crypto.field_encryption import FieldCipher
from service.identities.profiles import reseal
from service.identities.repository import NAMES, Identities
from service.outbox import queue
from service.storage.database import Database
from service.storage.stores import open_database

_BATCH: Final = 200  # rows per transaction
_ROUNDS: Final = 5  # a later round finds the rows that a service wrote with an older key meanwhile
_KEYS: Final = 1000  # upper bound of the keys in use

_IT: Final = followers.c


def cipher(settings: Settings) -> FieldCipher:
    """Return the cipher with the configured keys."""
    return FieldCipher.of([key.get_secret_value() for key in settings.encryption.keys])


async def check(database: Database, cipher: FieldCipher) -> None:
    """Check that the key id of every encrypted row is configured.

    Raises:
        ConfigError: a key is not listed.
        StoreUnavailable: the database does not answer.
    """
    if set(await _used(database)) - cipher.ids:
        raise ConfigError(
            ["encryption.keys: the database has rows encrypted with a key that is not listed; add it"]
        )


async def check_usable(settings: Settings, database: Database) -> None:
    """Check that the tables are current and the key of every encrypted row is configured.

    Raises:
        ConfigError: a key is not listed.
        StoreUnavailable: the tables are not current, or the database does not answer.
    """
    await database.check_schema()
    await check(database, cipher(settings))


async def stale(database: Database, cipher: FieldCipher) -> int:
    """Return how many rows `encrypt` would still change.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    queries = [sa.select(rows.by, sa.func.count()).group_by(rows.by) for rows in _ROWS]

    def work(connection: sa.Connection) -> int:
        counts = [row for query in queries for row in connection.execute(query).all()]
        return sum(count for by, count in counts if by != cipher.newest)

    return await database.read(work)


@dataclass(frozen=True, slots=True)
class Sealed:
    """How many identities were re-encrypted, and how many rows could not be."""

    identities: int
    left: int
    into_the_clear: bool

    def __str__(self) -> str:
        return (
            f"{self.identities:,} people {'decrypted' if self.into_the_clear else 'encrypted'}, {self.left:,} left"
        )


async def encrypt(settings: Settings) -> Sealed:
    """Re-encrypt all followers with the newest key, or decrypt them if `clear` is listed first.

    Raises:
        ConfigError: rows are encrypted with a key that is not listed.
        StoreUnavailable: the database does not answer, or its schema is not current.
    """
    keys = cipher(settings)
    done = 0
    async with open_database(settings, check=partial(check_usable, settings)) as database:
        for _ in range(_ROUNDS):
            older = [by for by in [None, *await _used(database)] if by != keys.newest]
            moved = [sum([await _move_all(database, keys, by, rows) for by in older]) for rows in _ROWS]
            done += moved[0]
            if not any(moved):
                break
        left = await stale(database, keys)
    return Sealed(done, left, into_the_clear=keys.newest is None)


async def _used(database: Database) -> list[str]:
    """Return the ids of the keys in use, with one index lookup per key."""

    def work(connection: sa.Connection, column: sa.Column[str]) -> list[str]:
        found = [""]
        for _ in range(_KEYS):
            next_id = sa.select(sa.func.min(column)).where(column > found[-1])
            if (by := connection.scalar(next_id)) is None:
                break
            found.append(by)
        return found[1:]

    found = [await database.read(partial(work, column=rows.by)) for rows in _ROWS]
    return sorted({by for each in found for by in each})


async def _move_all(database: Database, cipher: FieldCipher, by: str | None, of: "_Rows") -> int:
    """Re-encrypt the rows of one key, ordered by id; return how many."""
    clock = asyncio.get_running_loop().time
    last, moved = 0, 0
    while batch := await _batch(database, by, of, after=last):
        began = clock()
        moved += await database.attempt(partial(_move, cipher=cipher, move=of.move, rows=batch))
        last = batch[-1][of.id]
        await asyncio.sleep(clock() - began)  # leave half of the time to the running service
    return moved


async def _batch(database: Database, by: str | None, of: "_Rows", *, after: int) -> Sequence[RowMapping]:
    query = sa.select(*of.columns).where(of.by == by, of.id > after).order_by(of.id).limit(_BATCH)
    return await database.read(lambda connection: connection.execute(query).mappings().all())


def _move(connection: sa.Connection, *, cipher: FieldCipher, move: "_Move", rows: Sequence[RowMapping]) -> int:
    moved = 0
    for row in rows:
        # Skip a row that was changed and cannot be decrypted, and one whose person has a second row, written by
        # a process that lacked a key.
        with suppress(StoreUnavailable, IntegrityError):
            moved += move(connection, row, cipher)
    return moved


def _move_identity(connection: sa.Connection, row: RowMapping, cipher: FieldCipher) -> int:
    identities = Identities(cipher)
    person = identities.read(row)
    if person is None:
        return 0
    unchanged = [column == row[column] for column in (_IT.id, _IT.openid, _IT.unionid, _IT.sealed_by)]
    names = identities.names(person.account, person.openid, person.unionid) | {"anchor": None}
    with connection.begin_nested():
        return connection.execute(sa.update(followers).where(*unchanged).values(names)).rowcount


_Move = Callable[[sa.Connection, RowMapping, FieldCipher], int]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one table that may be encrypted, and how one is re-encrypted unless it was changed since."""

    id: sa.Column[int]
    by: sa.Column[Any]
    columns: Sequence[sa.Column[Any]]
    move: _Move


# The identities first: they are counted.
_ROWS: Final = (
    _Rows(_IT.id, _IT.sealed_by, NAMES, _move_identity),
    _Rows(profiles.c.follower_id, profiles.c.sealed_by, tuple(profiles.c), reseal),
    _Rows(outbox.c.id, outbox.c.sealed_by, queue.SEALED, queue.reseal),
)
