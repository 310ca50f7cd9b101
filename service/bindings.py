"""Who is bound, in SQL. The constraints decide: insert first, and look only at what stood in the way.

Every change of a binding is written to the history, in the same transaction and with the door it came by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.binding import (
    AlreadyBound,
    Binding,
    BindResult,
    Bound,
    Change,
    Conflict,
    Door,
    Policy,
    Taken,
    UserId,
)
from models.errors import StoreUnavailable
from models.event import OpenId
from models.tables import bindings, followers, history, to_millisecond
from service.database import Database

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
    door: Door
    at: datetime


async def bind(
    connection: AsyncConnection,
    *,
    client: str,
    account: str,
    user_id: UserId,
    openid: OpenId,
    policy: Policy,
    door: Door,
    now: datetime,
) -> BindResult:
    """Bind a WeChat to a user, within the caller's transaction; a Conflict has changed nothing.

    Raises:
        StoreUnavailable: others kept binding and unbinding the same two.
    """
    wanted = Binding(client, account, user_id, openid, bound_at=to_millisecond(now))
    for _ in range(_ROUNDS):
        if await _inserted(connection, wanted):
            await _record(connection, wanted, Change.BOUND, door=door, now=now)
            [made] = await _select(connection, *_at(client, account), bindings.c.openid == openid)
            return Bound(made)
        in_the_way = await _in_the_way(connection, wanted)
        if same := [it for it in in_the_way if it.user_id == user_id and it.openid == openid]:
            return AlreadyBound(same[0])
        if reason := _refusal(in_the_way, wanted, policy):
            return Conflict(reason)
        for it in in_the_way:
            change = Change.MOVED if it.openid == openid else Change.REPLACED
            await _remove(connection, it, change, door=door, now=now)
    raise StoreUnavailable("the binding is being changed by others")


async def owner(connection: AsyncConnection, *, client: str, account: str, openid: OpenId) -> Binding | None:
    """Return whose WeChat this is at a client."""
    found = await _select(connection, *_at(client, account), bindings.c.openid == openid)
    return found[0] if found else None


async def resolve(
    connection: AsyncConnection, *, client: str, account: str, openid: OpenId, now: datetime
) -> Binding | None:
    """Return whose WeChat this is at a client, known here or by the same person's unionid elsewhere.

    WeChat gives one person a different openid in every account, and one unionid in all of them (PROTOCOL.md
    6): somebody bound through one account of a client is the same user in its others, and is bound there too.
    Never across clients. None as well if that user already has another WeChat in this account.
    """
    if found := await owner(connection, client=client, account=account, openid=openid):
        return found
    user_id = await _same_person(connection, client=client, account=account, openid=openid)
    if user_id is None:
        return None
    result = await bind(
        connection,
        client=client,
        account=account,
        user_id=user_id,
        openid=openid,
        policy=Policy(),
        door=Door.UNIONID,
        now=now,
    )
    return None if isinstance(result, Conflict) else result.binding


async def logged_in(
    connection: AsyncConnection, *, client: str, account: str, user_id: UserId, openid: OpenId, now: datetime
) -> Binding | None:
    """Note a login on the binding that lets it happen; None if it stands no more."""
    this = sa.and_(*_at(client, account), bindings.c.user_id == user_id, bindings.c.openid == openid)
    noted = await connection.execute(sa.update(bindings).where(this).values(last_login_at=now))
    if not noted.rowcount:
        return None
    return await owner(connection, client=client, account=account, openid=openid)


async def erase(connection: AsyncConnection, *, account: str, openid: OpenId, now: datetime) -> None:
    """Remove a WeChat that has left from every client, and its name from the history."""
    for it in await _select(connection, bindings.c.account == account, bindings.c.openid == openid):
        await _remove(connection, it, Change.ERASED, door=Door.UNFOLLOW, now=now)
    theirs = sa.and_(history.c.account == account, history.c.openid == openid)
    await connection.execute(sa.update(history).where(theirs).values(openid=None))


class Bindings:
    """The bindings as a site's back end sees and ends them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, client: str, user_id: UserId) -> list[Binding]:
        """Return a user's bindings in the order of their accounts; empty if there are none."""
        async with self._database.read() as connection:
            return await _select(connection, bindings.c.client == client, bindings.c.user_id == user_id)

    async def disconnect(
        self,
        client: str,
        user_id: UserId,
        *,
        account: str | None = None,
        door: Door = Door.SITE,
        now: datetime,
    ) -> int:
        """End a user's bindings, or the one in *account*; return how many ended."""

        async def work(connection: AsyncConnection) -> int:
            theirs = [bindings.c.client == client, bindings.c.user_id == user_id]
            if account is not None:
                theirs.append(bindings.c.account == account)
            return sum(
                [
                    await _remove(connection, it, Change.DISCONNECTED, door=door, now=now)
                    for it in await _select(connection, *theirs)
                ]
            )

        return await self._database.attempt(work)

    async def history(self, client: str, user_id: UserId, *, limit: int = 100) -> list[Entry]:
        """Return the last *limit* things that happened to a user's bindings, newest first."""
        columns = [history.c[name] for name in Entry.__slots__]
        query = sa.select(*columns).where(history.c.client == client, history.c.user_id == user_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(history.c.id.desc()).limit(limit))
            return [Entry(*row) for row in rows]


def _at(client: str, account: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return bindings.c.client == client, bindings.c.account == account


async def _select(connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> list[Binding]:
    """Read bindings together with what is known of the follower."""
    same = sa.and_(followers.c.account == bindings.c.account, followers.c.openid == bindings.c.openid)
    query = (
        sa.select(
            *(column for column in bindings.c if column is not bindings.c.id),
            followers.c.unionid,
            sa.func.coalesce(followers.c.subscribed, sa.true()).label("subscribed"),
        )
        .select_from(bindings.outerjoin(followers, same))
        .where(*where)
        .order_by(bindings.c.account)
    )
    return [Binding(**row) for row in (await connection.execute(query)).mappings()]


async def _inserted(connection: AsyncConnection, it: Binding) -> bool:
    values: dict[str, Any] = {
        "client": it.client,
        "account": it.account,
        "user_id": it.user_id,
        "openid": it.openid,
        "bound_at": it.bound_at,
    }
    try:
        async with connection.begin_nested():  # a refused insert must not cost the whole transaction
            await connection.execute(sa.insert(bindings).values(values))
    except IntegrityError:
        return False
    return True


async def _in_the_way(connection: AsyncConnection, wanted: Binding) -> Sequence[Binding]:
    either = sa.or_(bindings.c.user_id == wanted.user_id, bindings.c.openid == wanted.openid)
    return await _select(connection, *_at(wanted.client, wanted.account), either)


def _refusal(in_the_way: Sequence[Binding], wanted: Binding, policy: Policy) -> Taken | None:
    """Tell why the client's policy lets what stands stand; the WeChat's owner is named first."""
    if not policy.takeover_moves and any(it.openid == wanted.openid for it in in_the_way):
        return Taken.WECHAT
    if not policy.rebind_replaces and any(it.user_id == wanted.user_id for it in in_the_way):
        return Taken.USER
    return None


async def _remove(connection: AsyncConnection, it: Binding, change: Change, *, door: Door, now: datetime) -> bool:
    """Remove a binding that was just read; False if somebody else was faster."""
    this = sa.and_(*_at(it.client, it.account), bindings.c.user_id == it.user_id, bindings.c.openid == it.openid)
    if not (await connection.execute(sa.delete(bindings).where(this))).rowcount:
        return False
    await _record(connection, it, change, door=door, now=now)
    return True


async def _record(connection: AsyncConnection, it: Binding, change: Change, *, door: Door, now: datetime) -> None:
    entry = Entry(it.account, it.user_id, it.openid, change, door, now)
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    await connection.execute(sa.insert(history).values(client=it.client, **values))


async def _same_person(connection: AsyncConnection, *, client: str, account: str, openid: OpenId) -> UserId | None:
    """Return the user of this client that another account knows by this person's unionid."""
    here, elsewhere = followers.alias("here"), followers.alias("elsewhere")
    same_unionid = sa.and_(elsewhere.c.unionid == here.c.unionid, elsewhere.c.account != here.c.account)
    bound = sa.and_(
        bindings.c.client == client,
        bindings.c.account == elsewhere.c.account,
        bindings.c.openid == elsewhere.c.openid,
    )
    query = (
        sa.select(bindings.c.user_id)
        .select_from(here.join(elsewhere, same_unionid).join(bindings, bound))
        .where(here.c.account == account, here.c.openid == openid)
        .order_by(bindings.c.bound_at, bindings.c.id)  # were there two users, the older one is meant
        .limit(1)
    )
    found: str | None = await connection.scalar(query)
    return None if found is None else UserId(found)
