"""Repository of bindings, in SQL. Inserts first; on a constraint violation, reads the conflicting bindings.

Every change of a binding is written to the history in the same transaction, with its source.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.binding import (
    AlreadyBound,
    Binding,
    BindResult,
    Bound,
    Change,
    ChangeSource,
    Conflict,
    ConflictReason,
    Policy,
    UserId,
)
from models.errors import StoreUnavailable
from models.events import OpenId
from models.tables.bindings import bindings, history
from models.tables.columns import to_millisecond
from models.tables.identities import followers
from service.identities.repository import NAMES, Identities, Identity
from service.storage.database import Database
from service.storage.inserting import AppendedRows, appending, insert_unless_taken
from service.storage.purge import purge

# A round fails only if another transaction bound or unbound the same user or WeChat in between.
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the history: a change of a binding, and its source."""

    account: str
    user_id: UserId
    openid: OpenId | None
    """None once the person was erased."""
    change: Change
    source: ChangeSource
    at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table of bindings, with the follower's id."""

    client: str
    account: str
    user_id: UserId
    follower_id: int
    bound_at: datetime
    last_login_at: datetime | None = None
    consent: str | None = None


_ROW: Final = [bindings.c[name] for name in _Row.__slots__]
_ENTRY: Final = {
    name: history.c["door" if name == "source" else name] for name in Entry.__slots__ if name != "openid"
}


def bind(
    connection: sa.Connection,
    person: Identity,
    *,
    rows: AppendedRows,
    identities: Identities,
    client: str,
    user_id: UserId,
    policy: Policy,
    source: ChangeSource,
    now: datetime,
) -> BindResult:
    """Bind a WeChat to a user, within the caller's transaction; with a Conflict nothing was changed.

    The entries of the history are added to *rows*, which the caller writes.
    By unionid, a binding in another account of the client conflicts as well: that of the same person to another
    user, and that of the same user to another person.

    Raises:
        StoreUnavailable: concurrent transactions kept changing the same bindings.
    """
    elsewhere = _elsewhere(connection, person, identities=identities, client=client, user_id=user_id)
    return _bind(
        connection,
        person,
        elsewhere,
        rows=rows,
        client=client,
        user_id=user_id,
        policy=policy,
        source=source,
        now=now,
    )


def _bind(
    connection: sa.Connection,
    person: Identity,
    elsewhere: Sequence[_Row],
    *,
    rows: AppendedRows,
    client: str,
    user_id: UserId,
    policy: Policy,
    source: ChangeSource,
    now: datetime,
) -> BindResult:
    wanted = _Row(client, person.account, user_id, person.id, to_millisecond(now), consent=policy.consent)
    for _ in range(_ROUNDS):
        if not elsewhere and insert_unless_taken(connection, bindings, asdict(wanted)):
            _record(rows, wanted, Change.BOUND, source=source, now=now)
            return Bound(_binding(wanted, person))
        here = _conflicting(connection, wanted)
        if same := [it for it in here if it.user_id == user_id and it.follower_id == person.id]:
            return AlreadyBound(_binding(_agreed(connection, same[0], policy), person))
        conflicting, elsewhere = [*here, *elsewhere], ()
        if reason := _refusal(conflicting, wanted, policy):
            return Conflict(reason)
        for it in conflicting:
            change = Change.REPLACED if it.user_id == user_id else Change.MOVED
            _remove(connection, it, change, rows=rows, source=source, now=now)
    raise StoreUnavailable("the binding is being changed by concurrent requests")


def owner(connection: sa.Connection, person: Identity, *, client: str) -> Binding | None:
    """Return the binding of a person at a client."""
    found = _select(connection, *_at(client, person.account), bindings.c.follower_id == person.id)
    return _binding(found[0], person) if found else None


def resolve(
    connection: sa.Connection,
    person: Identity,
    *,
    rows: AppendedRows,
    identities: Identities,
    client: str,
    now: datetime,
) -> Binding | None:
    """Return the binding of a person at a client, in this account or, by unionid, from another of its accounts.

    A person has a different openid in every account and one unionid in all of them (wechat-protocol.md 6). So a
    person bound in one account of a client is the same user in its other accounts, and is bound there as well.
    Never across clients. None also if that user has another WeChat in this account.
    """
    if found := owner(connection, person, client=client):
        return found
    known = _same_person(connection, person, identities=identities, client=client)
    if known is None:
        return None
    # In this very account it is that of an appid of before: the person's new openid takes its place.
    policy = Policy(rebind_replaces=known.account == person.account, consent=known.consent)
    user_id = known.user_id
    result = _bind(
        connection,
        person,
        (),
        rows=rows,
        client=client,
        user_id=user_id,
        policy=policy,
        source=ChangeSource.UNIONID,
        now=now,
    )
    return None if isinstance(result, Conflict) else result.binding


def logged_in(
    connection: sa.Connection, person: Identity, *, client: str, user_id: UserId, now: datetime
) -> Binding | None:
    """Store the time of a login on its binding; None if the binding was removed."""
    theirs = bindings.c.follower_id == person.id
    this = sa.and_(*_at(client, person.account), bindings.c.user_id == user_id, theirs)
    noted = connection.execute(sa.update(bindings).where(this).values(last_login_at=now))
    if not noted.rowcount:
        return None
    return owner(connection, person, client=client)


def erase(
    connection: sa.Connection,
    whose: sa.ColumnElement[bool],
    *,
    rows: AppendedRows,
    source: ChangeSource,
    now: datetime,
) -> int:
    """Remove the bindings that *whose* selects, for an erasure; return how many."""
    found = _select(connection, whose)
    return sum([_remove(connection, it, Change.ERASED, rows=rows, source=source, now=now) for it in found])


@dataclass(slots=True)
class Bindings:
    """Lists and removes bindings for a site's back end."""

    database: Database
    identities: Identities

    async def of_user(self, client: str, user_id: UserId) -> list[Binding]:
        """Return a user's bindings, ordered by account."""
        query = (
            sa.select(*_ROW, *NAMES)
            .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
            .where(bindings.c.client == client, bindings.c.user_id == user_id)
            .order_by(bindings.c.account)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [_binding(_row(row), person) for row in rows if (person := self.identities.read(row))]

    async def disconnect(
        self,
        client: str,
        user_id: UserId,
        *,
        account: str | None = None,
        source: ChangeSource = ChangeSource.SITE,
        now: datetime,
    ) -> int:
        """Remove a user's bindings, or the one in *account*; return how many."""
        theirs = [bindings.c.client == client, bindings.c.user_id == user_id]
        theirs += [] if account is None else [bindings.c.account == account]

        def work(connection: sa.Connection) -> int:
            with appending(connection) as rows:
                return sum(
                    _remove(connection, it, Change.DISCONNECTED, rows=rows, source=source, now=now)
                    for it in _select(connection, *theirs)
                )

        return await self.database.once(work)

    async def history(self, client: str, user_id: UserId, *, limit: int = 100) -> list[Entry]:
        """Return the last *limit* changes of a user's bindings, newest first."""
        query = (
            sa.select(*_ENTRY.values(), *NAMES)
            .outerjoin_from(history, followers, followers.c.id == history.c.follower_id)
            .where(history.c.client == client, history.c.user_id == user_id)
            .order_by(history.c.id.desc())
            .limit(limit)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [self._entry(row) for row in rows]

    async def purge(self, before: datetime) -> int:
        """Delete entries of the history older than *before*; return how many."""
        return await purge(self.database, history.c.id, before, when=history.c.at)

    def _entry(self, row: RowMapping) -> Entry:
        person = self.identities.read(row)
        kept = {name: row[column] for name, column in _ENTRY.items()}
        return Entry(openid=person.openid if person else None, **kept)


def _at(client: str, account: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return bindings.c.client == client, bindings.c.account == account


def _select(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[_Row]:
    query = sa.select(*_ROW).where(*where).order_by(bindings.c.account)
    return [_row(row) for row in connection.execute(query).mappings()]


def _row(row: RowMapping) -> _Row:
    return _Row(*(row[column] for column in _ROW))


def _binding(row: _Row, person: Identity) -> Binding:
    return Binding(
        client=row.client,
        account=row.account,
        user_id=row.user_id,
        openid=person.openid,
        bound_at=row.bound_at,
        last_login_at=row.last_login_at,
        consent=row.consent,
        unionid=person.unionid,
        subscribed=person.subscribed,
        appid=person.appid,
    )


def _agreed(connection: sa.Connection, it: _Row, policy: Policy) -> _Row:
    """Store the version of the consent notice that was accepted now, if there is one and it differs."""
    if policy.consent in (None, it.consent):
        return it
    this = sa.and_(*_at(it.client, it.account), bindings.c.user_id == it.user_id)
    connection.execute(sa.update(bindings).where(this).values(consent=policy.consent))
    return replace(it, consent=policy.consent)


def _conflicting(connection: sa.Connection, wanted: _Row) -> Sequence[_Row]:
    either = sa.or_(bindings.c.user_id == wanted.user_id, bindings.c.follower_id == wanted.follower_id)
    return _select(connection, *_at(wanted.client, wanted.account), either)


def _elsewhere(
    connection: sa.Connection, person: Identity, *, identities: Identities, client: str, user_id: UserId
) -> Sequence[_Row]:
    """Return the conflicting bindings in other accounts, or of an earlier appid, found by unionid."""
    if person.unionid is None:
        return ()
    same = identities.with_unionid(person.unionid)
    # Lock the person's first row: it serializes concurrent binds of this person.
    first = sa.select(followers.c.id).where(same).order_by(followers.c.id).limit(1)
    connection.execute(first.with_for_update())
    another = sa.and_(followers.c.unionid.is_not(None), sa.not_(same))
    query = (
        sa.select(*_ROW)
        .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
        .where(
            bindings.c.client == client,
            bindings.c.follower_id != person.id,
            sa.or_(
                sa.and_(same, bindings.c.user_id != user_id),
                sa.and_(another, bindings.c.user_id == user_id, bindings.c.account != person.account),
            ),
        )
        .order_by(bindings.c.account)
    )
    return [_row(row) for row in connection.execute(query).mappings()]


def _refusal(conflicting: Sequence[_Row], wanted: _Row, policy: Policy) -> ConflictReason | None:
    """Return why the client's policy forbids replacing the conflicting bindings; WECHAT takes precedence."""
    if not policy.takeover_moves and any(it.user_id != wanted.user_id for it in conflicting):
        return ConflictReason.WECHAT
    if not policy.rebind_replaces and any(it.user_id == wanted.user_id for it in conflicting):
        return ConflictReason.USER
    return None


def _remove(
    connection: sa.Connection,
    it: _Row,
    change: Change,
    *,
    rows: AppendedRows,
    source: ChangeSource,
    now: datetime,
) -> bool:
    """Remove a binding that was just read; False if another transaction was first."""
    theirs = sa.and_(bindings.c.user_id == it.user_id, bindings.c.follower_id == it.follower_id)
    if not connection.execute(sa.delete(bindings).where(*_at(it.client, it.account), theirs)).rowcount:
        return False
    _record(rows, it, change, source=source, now=now)
    return True


def _record(rows: AppendedRows, it: _Row, change: Change, *, source: ChangeSource, now: datetime) -> None:
    entry = {
        "client": it.client,
        "account": it.account,
        "user_id": it.user_id,
        "follower_id": it.follower_id,
        "change": change,
        "door": source,
        "at": now,
    }
    rows.add(history, entry)


def _same_person(
    connection: sa.Connection, person: Identity, *, identities: Identities, client: str
) -> _Row | None:
    """Return the person's binding at this client in another account or under an earlier appid, by unionid."""
    if person.unionid is None:
        return None
    elsewhere = sa.and_(identities.with_unionid(person.unionid), followers.c.id != person.id)
    query = (
        sa.select(*_ROW)
        .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
        .where(bindings.c.client == client, elsewhere)
        # This account's own, which is to be replaced; then the oldest, should there be two users.
        .order_by(bindings.c.account != person.account, bindings.c.bound_at, bindings.c.id)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return _row(row) if row else None
