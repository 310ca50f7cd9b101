"""Repository of the names and pictures of people, one row for each identity (contract.md 8.5).

A row is deleted with its identity, and when no site has it bound any more (service/bindings/rows.py).
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.events import OpenId
from models.profile import Profile
from models.tables.bindings import bindings
from models.tables.identities import followers
from models.tables.profiles import profiles
from service.crypto.field_encryption import FieldCipher
from service.identities.repository import Identities
from service.storage.database import Database

Person = tuple[str, OpenId]
"""An account or app, and an openid in it."""
UNBOUND_KEPT: Final = timedelta(days=1)
"""How long a name and picture are kept for a person whom no site has bound: longer than a registration works."""
_PAGE: Final = 500
"""People that a purge looks at in one statement."""
_NAME: Final = 12  # bytes in the name of a picture, which becomes 16 characters
_IT: Final = profiles.c
_COLUMNS: Final = (_IT.follower_id, _IT.nickname, _IT.picture_name, _IT.picture_source, _IT.sealed_by)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to store: JPEG, as service/identities/picture_encoding.py makes it of at most 32 KiB."""

    content: bytes
    source: str
    """What is kept of its address at WeChat (`source_of`)."""


@dataclass(frozen=True, slots=True)
class _Values:
    """The columns of a row, decrypted."""

    nickname: str
    picture: bytes | None = None
    picture_name: str | None = None
    picture_source: str | None = None


@dataclass(slots=True, kw_only=True)
class Profiles:
    """Reads and writes names and pictures. All methods raise StoreUnavailable."""

    database: Database
    identities: Identities
    showing: Collection[str]
    """The clients that show profiles."""

    async def of(self, people: Iterable[Person]) -> Mapping[Person, Profile]:
        """Return what is stored about *people*; those without a row are left out."""
        wanted = tuple(people)

        def work(connection: sa.Connection) -> dict[Person, Profile]:
            rows = {person: self._row(connection, person) for person in wanted}
            return {person: self._shown(row) for person, row in rows.items() if row}

        return await self.database.read(work) if wanted else {}

    async def source(self, person: Person) -> str | None:
        """Return what is kept of the address of the stored picture; None if no picture is stored."""
        row = await self.database.read(partial(self._row, person=person))
        return row[_IT.picture_source] if row else None

    async def picture(self, name: str) -> bytes | None:
        """Return the picture with this name; None if it was replaced or deleted."""
        query = sa.select(*_COLUMNS, _IT.picture).where(_IT.picture_name == name)
        row = await self.database.read(lambda connection: connection.execute(query).mappings().first())
        return opened(row, self.identities.cipher).picture if row else None

    async def store(
        self, person: Person, nickname: str, picture: Picture | None, *, keep: bool, at: datetime
    ) -> None:
        """Store the name and picture of a person; does nothing if they were erased.

        *keep* keeps the stored picture instead.
        """
        name = secrets.token_urlsafe(_NAME)

        def work(connection: sa.Connection) -> None:
            identity = self.identities.find(connection, *person, hold=True)
            if identity is None:
                return
            this, values = _IT.follower_id == identity.id, _Values(nickname)
            if keep and (stored := _whole(connection, this)):
                before = opened(stored, self.identities.cipher)
                values = _Values(nickname, before.picture, before.picture_name, before.picture_source)
            elif picture:
                values = _Values(nickname, picture.content, name, picture.source)
            connection.execute(sa.delete(profiles).where(this))
            row = _sealed(identity.id, values, self.identities.cipher)
            connection.execute(sa.insert(profiles), row | {"at": at})

        await self.database.attempt(work)

    async def purge(self, before: datetime) -> int:
        """Delete what was stored earlier than *before* of people whom no client that shows profiles has bound.

        Return how many. No statement goes through all people.
        """
        last, deleted = 0, 0
        while page := await self.database.read(partial(self._page, before=before, after=last)):
            last = max(page)
            if unbound := [number for number, shown in page.items() if not shown]:
                deleted += await self.database.attempt(
                    partial(_delete, numbers=unbound, before=before), single=True
                )
        return deleted

    def _page(self, connection: sa.Connection, *, before: datetime, after: int) -> dict[int, bool]:
        """Return the next people with an old row, and whether a client that shows profiles has each bound."""
        old = sa.select(_IT.follower_id).where(_IT.at < before, _IT.follower_id > after)
        numbers = connection.scalars(old.order_by(_IT.follower_id).limit(_PAGE)).all()
        # The clients are compared here: with them in the query, SQLite goes through all bindings of each.
        bound = sa.select(bindings.c.follower_id, bindings.c.client).where(bindings.c.follower_id.in_(numbers))
        shown = {number for number, client in connection.execute(bound) if client in self.showing}
        return {number: number in shown for number in numbers}

    def _row(self, connection: sa.Connection, person: Person) -> RowMapping | None:
        them, values = self.identities.them(*person)
        query = sa.select(*_COLUMNS).join(followers, followers.c.id == _IT.follower_id).where(them)
        return connection.execute(query, values).mappings().first()

    def _shown(self, row: RowMapping) -> Profile:
        return Profile(opened(row, self.identities.cipher).nickname, row[_IT.picture_name])


def opened(row: RowMapping, cipher: FieldCipher) -> _Values:
    """Decrypt a row, with its picture if it was selected. Raises StoreUnavailable: it cannot be decrypted."""
    number, by = row[_IT.follower_id], row[_IT.sealed_by]
    picture = row.get("picture")
    return _Values(
        nickname=cipher.unseal(row[_IT.nickname], about=_about("nickname", number), by=by).decode(),
        picture=cipher.unseal(picture, about=_about("picture", number), by=by) if picture else None,
        picture_name=row[_IT.picture_name],
        picture_source=row[_IT.picture_source],
    )


def reseal(connection: sa.Connection, row: RowMapping, cipher: FieldCipher) -> int:
    """Encrypt a whole row with the newest key, unless it was changed since; return how many rows that is.

    Raises: as `opened`.
    """
    values = _sealed(row[_IT.follower_id], opened(row, cipher), cipher)
    unchanged = [_IT[name] == row[_IT[name]] for name in ("follower_id", "sealed_by", "at")]
    return connection.execute(sa.update(profiles).where(*unchanged).values(values)).rowcount


def _delete(connection: sa.Connection, *, numbers: Sequence[int], before: datetime) -> int:
    # Again the time: a login may have stored another one since.
    return connection.execute(sa.delete(profiles).where(_IT.follower_id.in_(numbers), _IT.at < before)).rowcount


def _whole(connection: sa.Connection, this: sa.ColumnElement[bool]) -> RowMapping | None:
    return connection.execute(sa.select(profiles).where(this)).mappings().first()


def _sealed(number: int, values: _Values, cipher: FieldCipher) -> dict[str, Any]:
    def seal(content: bytes, column: str) -> bytes:
        return cipher.seal(content, about=_about(column, number))

    return {
        "follower_id": number,
        "nickname": seal(values.nickname.encode(), "nickname"),
        "picture": seal(values.picture, "picture") if values.picture else None,
        "picture_name": values.picture_name,
        "picture_source": values.picture_source,
        "sealed_by": cipher.newest,
    }


def _about(column: str, number: int) -> str:
    return f"{column}\0{number}"
