"""Gives an identity the openid that an account migration gave the person (wechat-protocol.md 8, docs/adr/0032).

The row keeps its id, so that bindings, history and separations stay with it. If the person has signed in at the
new account already, that identity becomes one with this one. Where a client has bound the two to different users,
both are left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.binding import Change, ChangeSource, UserId
from models.errors import StoreUnavailable
from models.events import OpenId
from models.tables.bindings import bindings, history, separations
from models.tables.identities import NEVER
from models.tables.identities import followers as table
from models.tables.profiles import profiles
from models.tables.tickets import endings
from service.bindings.changes import changing
from service.bindings.rows import Changes, Row, carry_row, change_row, remove_row, select_rows
from service.identities.followers import Followers
from service.identities.persons import unite
from service.identities.repository import Identity

_ABOUT: Final = (table.c.lang, table.c.asked_at, table.c.followed_at)
_ROUNDS: Final = 4
"""A round fails only if another transaction added or bound the same person in between."""
_SOURCE: Final = ChangeSource.MIGRATION


@dataclass(frozen=True, slots=True)
class Migrated:
    """The identity has the new openid; `united` if one that had it before became one with it."""

    united: bool


@dataclass(frozen=True, slots=True)
class Clash:
    """What keeps an identity from its new openid at one client. Nothing was changed."""

    client: str
    user_id: UserId
    """The user that the identity is bound to."""
    other_user: UserId | None
    """The user that the person's new openid is bound to; None: `user_id` has another WeChat in the new account."""


class _ClashingError(Exception):
    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__()
        self.clashes = clashes


class _ChangedMeanwhileError(Exception):
    """Another transaction added the new openid under another key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityMigration:
    """Moves identities to one account, each within the caller's transaction."""

    followers: Followers
    account: str
    now: datetime

    def move(self, connection: sa.Connection, identity: Identity, openid: OpenId) -> Migrated | Sequence[Clash]:
        """Give an identity, whose row the transaction locks, the account's *openid*; or return what forbids it.

        Raises:
            StoreUnavailable: concurrent transactions keep changing the same person.
        """
        for _ in range(_ROUNDS):
            try:
                with connection.begin_nested(), changing(connection, self.followers.identities) as rows:
                    return self._move(connection, identity, openid, rows)
            except _ClashingError as e:
                return e.clashes
            except (IntegrityError, _ChangedMeanwhileError):
                continue
        raise StoreUnavailable("a person is being changed by concurrent requests")

    def _move(self, connection: sa.Connection, identity: Identity, openid: OpenId, rows: Changes) -> Migrated:
        identities, new = self.followers.identities, identity
        ours = _bindings(connection, identity.id)
        about: Mapping[str, Any] = {"asked_at": None}  # what WeChat told was of the former account
        # More than one: as of a process of an earlier version (docs/adr/0023), or one that lacked a key.
        while (found := identities.find_row(connection, self.account, openid, _ABOUT, hold=True)) and (
            twin := identities.read(found)
        ):
            # Else a web authorization named them, which tells nothing about it.
            if found[table.c.followed_at] != NEVER:
                about = {column.name: found[column] for column in _ABOUT} | {"subscribed": twin.subscribed}
            self._take_over(connection, twin.id, by=identity.id)
            new = _united(connection, new, twin)
        if united := new is not identity:
            clients = {it.client for it in ours}
            ours = [it for it in _bindings(connection, identity.id) if it.client in clients]
        about = {"subscribed": new.subscribed, "open_platform": new.open_platform, **about}
        if not identities.rename(connection, new, self.account, openid, person_id=new.person, **about):
            raise _ChangedMeanwhileError
        self._carry(connection, [it for it in ours if it.account == identity.account], rows)
        new = self.followers.join(connection, replace(new, account=self.account, openid=openid))
        if united and new.person is not None:
            self.followers.on_joined(connection, identities, new.person)
        return Migrated(united)

    def _take_over(self, connection: sa.Connection, twin: int, *, by: int) -> None:
        """Give an identity all that refers to its twin, and delete the twin.

        Of two bindings to one user the older stays, with the later login and the newer consent.
        """
        ours = {it.client: it for it in _bindings(connection, by)}
        theirs = _bindings(connection, twin)
        both = [(ours[it.client], it) for it in theirs if it.client in ours]
        if clashes := [Clash(it.client, it.user_id, one.user_id) for it, one in both if it.user_id != one.user_id]:
            raise _ClashingError(clashes)
        _refer(connection, endings, twin, by)  # endings before bindings: the lock order of an exchange
        identities = self.followers.identities
        # written before the history of the twin becomes the identity's
        with changing(connection, identities) as rows:
            for pair in both:
                older, newer = sorted(pair, key=lambda it: it.bound_at)
                remove_row(connection, newer, Change.REPLACED, rows=rows, source=_SOURCE, now=self.now)
                change_row(connection, older, **_latest(older, newer))
        shared = sa.select(separations.c.client).where(separations.c.follower_id == by)
        doubled = separations.c.client.in_(connection.scalars(shared).all())
        connection.execute(sa.delete(separations).where(separations.c.follower_id == twin, doubled))
        for referring in (bindings, separations, history):
            _refer(connection, referring, twin, by)
        # Encrypted for the twin's row: the next login fetches name and picture again.
        connection.execute(sa.delete(profiles).where(profiles.c.follower_id == twin))
        connection.execute(sa.delete(table).where(table.c.id == twin))

    def _carry(self, connection: sa.Connection, ours: Sequence[Row], rows: Changes) -> None:
        """Let the bindings be of the account, and write the history."""
        if clashes := [Clash(it.client, it.user_id, None) for it in ours if self._has_another(connection, it)]:
            raise _ClashingError(clashes)
        for it in ours:
            carry_row(connection, it, rows=rows, source=_SOURCE, now=self.now, account=self.account)

    def _has_another(self, connection: sa.Connection, it: Row) -> bool:
        """Return whether the user of a binding has another WeChat in the account already."""
        of = bindings.c
        there = (of.client == it.client, of.account == self.account, of.user_id == it.user_id)
        return it.account != self.account and bool(select_rows(connection, *there))


def _bindings(connection: sa.Connection, number: int) -> list[Row]:
    return select_rows(connection, bindings.c.follower_id == number)


def _refer(connection: sa.Connection, referring: sa.Table, twin: int, number: int) -> None:
    change = sa.update(referring).where(referring.c.follower_id == twin)
    connection.execute(change.values(follower_id=number))


def _united(connection: sa.Connection, identity: Identity, twin: Identity) -> Identity:
    """Let the persons of both be one; return the identity with what WeChat told of its twin."""
    numbers = sorted({it.person for it in (identity, twin) if it.person is not None})
    if numbers[1:]:
        unite(connection, numbers[1:], numbers[0])
    told = twin if twin.unionid else identity
    return replace(
        identity,
        person=min(numbers, default=None),
        unionid=told.unionid,
        open_platform=told.open_platform,
    )


def _latest(older: Row, newer: Row) -> Mapping[str, Any]:
    logins = [it.last_login_at for it in (older, newer) if it.last_login_at]
    return {"last_login_at": max(logins, default=None), "consent": newer.consent or older.consent}
