"""Who is bound, in SQL. The constraints decide: insert first, and look only at what stood in the way.

Every change of a binding is written to the history, in the same transaction and with the door it came by.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

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
from service.storage.purge import purge

# Each round loses only to somebody else who bound or unbound the very same user or WeChat in between.
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history: what happened to a binding, and by which door."""

    account: str
    user_id: UserId
    openid: OpenId | None
    """None once WeChat's user has left and their data was erased."""
    change: Change
    source: ChangeSource
    at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    """A binding as its table has it: the person is a number."""

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


async def bind(
    connection: AsyncConnection,
    person: Identity,
    *,
    identities: Identities,
    client: str,
    user_id: UserId,
    policy: Policy,
    source: ChangeSource,
    now: datetime,
) -> BindResult:
    """Bind a WeChat to a user, within the caller's transaction; a Conflict has changed nothing.

    A binding in another account of the client is in the way as well where its unionid says so: the same person's
    to another user, or the same user's to another person.

    Raises:
        StoreUnavailable: others kept binding and unbinding the same two.
    """
    elsewhere = await _elsewhere(connection, person, identities=identities, client=client, user_id=user_id)
    return await _bind(
        connection, person, elsewhere, client=client, user_id=user_id, policy=policy, source=source, now=now
    )


async def _bind(
    connection: AsyncConnection,
    person: Identity,
    elsewhere: Sequence[_Row],
    *,
    client: str,
    user_id: UserId,
    policy: Policy,
    source: ChangeSource,
    now: datetime,
) -> BindResult:
    wanted = _Row(client, person.account, user_id, person.id, to_millisecond(now), consent=policy.consent)
    for _ in range(_ROUNDS):
        if not elsewhere and await _inserted(connection, wanted):
            await _record(connection, wanted, Change.BOUND, source=source, now=now)
            return Bound(_shown(wanted, person))
        here = await _in_the_way(connection, wanted)
        if same := [it for it in here if it.user_id == user_id and it.follower_id == person.id]:
            return AlreadyBound(_shown(await _agreed(connection, same[0], policy), person))
        in_the_way, elsewhere = [*here, *elsewhere], ()
        if reason := _refusal(in_the_way, wanted, policy):
            return Conflict(reason)
        for it in in_the_way:
            change = Change.REPLACED if it.user_id == user_id else Change.MOVED
            await _remove(connection, it, change, source=source, now=now)
    raise StoreUnavailable("the binding is being changed by others")


async def owner(connection: AsyncConnection, person: Identity, *, client: str) -> Binding | None:
    """Return whose WeChat this is at a client."""
    found = await _select(connection, *_at(client, person.account), bindings.c.follower_id == person.id)
    return _shown(found[0], person) if found else None


async def resolve(
    connection: AsyncConnection, person: Identity, *, identities: Identities, client: str, now: datetime
) -> Binding | None:
    """Return whose WeChat this is at a client, known here or by the same person's unionid elsewhere.

    WeChat gives one person a different openid in every account, and one unionid in all of them (wechat-protocol.md
    6): somebody bound through one account of a client is the same user in its others, and is bound there too.
    Never across clients. None as well if that user already has another WeChat in this account.
    """
    if found := await owner(connection, person, client=client):
        return found
    known = await _same_person(connection, person, identities=identities, client=client)
    if known is None:
        return None
    user_id, policy = known.user_id, Policy(consent=known.consent)
    result = await _bind(
        connection, person, (), client=client, user_id=user_id, policy=policy, source=ChangeSource.UNIONID, now=now
    )
    return None if isinstance(result, Conflict) else result.binding


async def logged_in(
    connection: AsyncConnection, person: Identity, *, client: str, user_id: UserId, now: datetime
) -> Binding | None:
    """Note a login on the binding that lets it happen; None if it stands no more."""
    theirs = bindings.c.follower_id == person.id
    this = sa.and_(*_at(client, person.account), bindings.c.user_id == user_id, theirs)
    noted = await connection.execute(sa.update(bindings).where(this).values(last_login_at=now))
    if not noted.rowcount:
        return None
    return await owner(connection, person, client=client)


async def erase(
    connection: AsyncConnection, whose: sa.ColumnElement[bool], *, source: ChangeSource, now: datetime
) -> int:
    """End the bindings that *whose* finds, since somebody is to be forgotten; return how many."""
    found = await _select(connection, whose)
    return sum([await _remove(connection, it, Change.ERASED, source=source, now=now) for it in found])


@dataclass(slots=True)
class Bindings:
    """The bindings as a site's back end sees and ends them."""

    database: Database
    identities: Identities

    async def of_user(self, client: str, user_id: UserId) -> list[Binding]:
        """Return a user's bindings in the order of their accounts; empty if there are none."""
        query = (
            sa.select(*_ROW, *NAMES)
            .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
            .where(bindings.c.client == client, bindings.c.user_id == user_id)
            .order_by(bindings.c.account)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_shown(_row(row), person) for row in rows if (person := self.identities.read(row))]

    async def disconnect(
        self,
        client: str,
        user_id: UserId,
        *,
        account: str | None = None,
        source: ChangeSource = ChangeSource.SITE,
        now: datetime,
    ) -> int:
        """End a user's bindings, or the one in *account*; return how many ended."""

        async def work(connection: AsyncConnection) -> int:
            theirs = [bindings.c.client == client, bindings.c.user_id == user_id]
            if account is not None:
                theirs.append(bindings.c.account == account)
            return sum(
                [
                    await _remove(connection, it, Change.DISCONNECTED, source=source, now=now)
                    for it in await _select(connection, *theirs)
                ]
            )

        return await self.database.once(work)

    async def history(self, client: str, user_id: UserId, *, limit: int = 100) -> list[Entry]:
        """Return the last *limit* things that happened to a user's bindings, newest first."""
        query = (
            sa.select(*_ENTRY.values(), *NAMES)
            .outerjoin_from(history, followers, followers.c.id == history.c.follower_id)
            .where(history.c.client == client, history.c.user_id == user_id)
            .order_by(history.c.id.desc())
            .limit(limit)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [self._entry(row) for row in rows]

    async def purge(self, before: datetime) -> int:
        """Delete history from before; return how many lines."""
        return await purge(self.database, history.c.id, before, when=history.c.at)

    def _entry(self, row: RowMapping) -> Entry:
        person = self.identities.read(row)
        kept = {name: row[column] for name, column in _ENTRY.items()}
        return Entry(openid=person.openid if person else None, **kept)


def _at(client: str, account: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return bindings.c.client == client, bindings.c.account == account


async def _select(connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> list[_Row]:
    query = sa.select(*_ROW).where(*where).order_by(bindings.c.account)
    return [_row(row) for row in (await connection.execute(query)).mappings()]


def _row(row: RowMapping) -> _Row:
    return _Row(*(row[column] for column in _ROW))


def _shown(row: _Row, person: Identity) -> Binding:
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
    )


async def _inserted(connection: AsyncConnection, it: _Row) -> bool:
    try:
        async with connection.begin_nested():  # a refused insert must not cost the whole transaction
            await connection.execute(sa.insert(bindings).values(asdict(it)))
    except IntegrityError:
        return False
    return True


async def _agreed(connection: AsyncConnection, it: _Row, policy: Policy) -> _Row:
    """Keep which version of the notice was agreed to now, if there is one and it is another."""
    if policy.consent in (None, it.consent):
        return it
    this = sa.and_(*_at(it.client, it.account), bindings.c.user_id == it.user_id)
    await connection.execute(sa.update(bindings).where(this).values(consent=policy.consent))
    return replace(it, consent=policy.consent)


async def _in_the_way(connection: AsyncConnection, wanted: _Row) -> Sequence[_Row]:
    either = sa.or_(bindings.c.user_id == wanted.user_id, bindings.c.follower_id == wanted.follower_id)
    return await _select(connection, *_at(wanted.client, wanted.account), either)


async def _elsewhere(
    connection: AsyncConnection, person: Identity, *, identities: Identities, client: str, user_id: UserId
) -> Sequence[_Row]:
    """Return what stands in the way in the client's other accounts, as far as unionids tell."""
    if person.unionid is None:
        return ()
    same = identities.with_unionid(person.unionid)
    # One row of theirs, the same for all who bind them: held first, so that these come one after the other.
    first = sa.select(followers.c.id).where(same).order_by(followers.c.id).limit(1)
    await connection.execute(first.with_for_update())
    another = sa.and_(followers.c.unionid.is_not(None), sa.not_(same))
    query = (
        sa.select(*_ROW)
        .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
        .where(
            bindings.c.client == client,
            bindings.c.account != person.account,
            sa.or_(sa.and_(same, bindings.c.user_id != user_id), sa.and_(another, bindings.c.user_id == user_id)),
        )
        .order_by(bindings.c.account)
    )
    return [_row(row) for row in (await connection.execute(query)).mappings()]


def _refusal(in_the_way: Sequence[_Row], wanted: _Row, policy: Policy) -> ConflictReason | None:
    """Tell why the client's policy lets what stands stand; the WeChat's owner is named first."""
    if not policy.takeover_moves and any(it.user_id != wanted.user_id for it in in_the_way):
        return ConflictReason.WECHAT
    if not policy.rebind_replaces and any(it.user_id == wanted.user_id for it in in_the_way):
        return ConflictReason.USER
    return None


async def _remove(
    connection: AsyncConnection, it: _Row, change: Change, *, source: ChangeSource, now: datetime
) -> bool:
    """Remove a binding that was just read; False if somebody else was faster."""
    theirs = sa.and_(bindings.c.user_id == it.user_id, bindings.c.follower_id == it.follower_id)
    if not (await connection.execute(sa.delete(bindings).where(*_at(it.client, it.account), theirs))).rowcount:
        return False
    await _record(connection, it, change, source=source, now=now)
    return True


async def _record(
    connection: AsyncConnection, it: _Row, change: Change, *, source: ChangeSource, now: datetime
) -> None:
    values = {
        "client": it.client,
        "account": it.account,
        "user_id": it.user_id,
        "follower_id": it.follower_id,
        "change": change,
        "door": source,
        "at": now,
    }
    await connection.execute(sa.insert(history).values(values))


async def _same_person(
    connection: AsyncConnection, person: Identity, *, identities: Identities, client: str
) -> _Row | None:
    """Return this person's binding in another account of this client, known by their unionid."""
    if person.unionid is None:
        return None
    elsewhere = sa.and_(identities.with_unionid(person.unionid), followers.c.account != person.account)
    query = (
        sa.select(*_ROW)
        .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
        .where(bindings.c.client == client, elsewhere)
        .order_by(bindings.c.bound_at, bindings.c.id)  # were there two users, the older one is meant
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return _row(row) if row else None
