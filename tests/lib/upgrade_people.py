"""The people of a database before an upgrade, and which user each of them must have after it."""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

import older_version as older
import sqlalchemy as sa

from models.binding import Change, ChangeSource
from models.events import OpenId
from service.crypto.field_encryption import FieldCipher
from service.identities.repository import Identities
from service.storage.database import Database

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY: Final = "an encryption key of an older version"
SEALED, CLEAR = Identities(FieldCipher.of([KEY])), Identities(FieldCipher.of([]))
PLATFORMS: Final = {"main": "acme", "second": "acme", "third": "rival"}
CLIENTS: Final = ("shop", "club")
_MANY: Final = 500  # rows per statement


class Place(NamedTuple):
    """Where one identity can be bound."""

    client: str
    account: str
    openid: str


@dataclass(frozen=True)
class Stored:
    """A follower before the upgrade, and the user they are bound to at each client."""

    account: str
    openid: str
    unionid: str | None
    users: dict[str, str] = field(default_factory=dict)

    @property
    def places(self) -> list[Place]:
        return [Place(client, self.account, self.openid) for client in self.users]


@dataclass
class Town:
    """All who are stored, and what must be found at the end; traffic adds to it."""

    stored: list[Stored] = field(default_factory=list)
    users: dict[Place, str] = field(default_factory=dict)
    unionids: dict[tuple[str, str], str] = field(default_factory=dict)
    """Of each account and openid."""

    def know(self, account: str, openid: str, unionid: str | None, users: dict[str, str]) -> Stored:
        it = Stored(account, openid, unionid, users)
        self.users |= dict(zip(it.places, users.values(), strict=True))
        if unionid:
            self.unionids[account, openid] = unionid
        return it

    @property
    def conflicts(self) -> set[tuple[str, frozenset[str]]]:
        """The users of each person who has several at a client."""
        found = defaultdict[tuple[str, str, str], set[str]](set)
        for place, user in self.users.items():
            if unionid := self.unionids.get((place.account, place.openid)):
                found[place.client, unionid, PLATFORMS[place.account]].add(user)
        return {(client, frozenset(users)) for (client, *_), users in found.items() if len(users) > 1}


def settle(bindings: int, rng: Random) -> Town:
    """Return people with so many bindings or a few more: one to three identities each, most with a unionid.

    Some are bound to two users. Of one in ten only the first identity is bound.
    """
    town = Town()
    for number in itertools.count():
        if len(town.users) >= bindings:
            break
        accounts = rng.sample(list(PLATFORMS), rng.choice((1, 2, 2, 3)))
        unionid = f"u{number}" if rng.random() < 0.8 else None
        clients = CLIENTS if rng.random() < 0.1 else (CLIENTS[number % 2],)
        two_users, first_only = number % 50 == 0, rng.random() < 0.1
        for at, account in enumerate(accounts):
            user = f"other-{number}" if two_users and at else f"user-{number}"
            bound = clients if at == 0 or not first_only else ()
            town.stored.append(town.know(account, f"o{number}", unionid, dict.fromkeys(bound, user)))
    return town


async def store(database: Database, people: list[Stored], rng: Random) -> None:
    """Store *people* as the version before did, half of them encrypted, with bindings and history."""
    for start in range(0, len(people), _MANY):
        some = people[start : start + _MANY]
        rows = [_follower(it, rng.choice((SEALED, CLEAR))) for it in some]
        await database.attempt(lambda connection, rows=rows, some=some: _store(connection, some, rows))  # type: ignore[misc]


def _follower(it: Stored, identities: Identities) -> dict[str, Any]:
    names = identities.names(it.account, OpenId(it.openid), it.unionid)
    return {"account": it.account, "appid": "", **names, "subscribed": True, "followed_at": NOW}


def _store(connection: sa.Connection, people: list[Stored], rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.insert(older.FOLLOWERS), rows)
    of = older.FOLLOWERS.c
    found = connection.execute(
        sa.select(of.account, of.openid, of.id).where(of.openid.in_([row["openid"] for row in rows]))
    )
    numbers = {(row.account, row.openid): row.id for row in found}
    bound = [
        {"client": client, "account": it.account, "user_id": user, "follower_id": numbers[it.account, lookup]}
        for it, lookup in zip(people, (row["openid"] for row in rows), strict=True)
        for client, user in it.users.items()
    ]
    if bound:
        connection.execute(sa.insert(older.BINDINGS), [row | {"bound_at": NOW} for row in bound])
        entry = {"change": Change.BOUND, "door": ChangeSource.TICKET, "at": NOW}
        connection.execute(sa.insert(older.HISTORY), [row | entry for row in bound])
