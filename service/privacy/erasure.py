"""Forgets a person, or a user of a site, in every table. What others rely on stays, and names nobody any more.

A person's own row goes first: whoever is binding them right now holds it (`Identities.find`), and so is either
seen here or finds nobody.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.binding import ChangeSource, UserId
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.tables.bindings import bindings, history
from models.tables.identities import followers
from models.tables.portal import portal_sessions
from models.tables.tickets import bind_requests, endings
from models.ticket import Ending, Status, TicketId, Via
from service.bindings.repository import erase
from service.identities.repository import NAMES, Identities, Identity
from service.storage.database import Database
from service.tickets.endings import insert


@dataclass(frozen=True, slots=True)
class Erased:
    """What was forgotten: how many rows of which table, and what else may hold it still."""

    deleted: Counter[str] = field(default_factory=Counter)
    unnamed: Counter[str] = field(default_factory=Counter)
    """Rows that stay and do not say any more whom, or which user, they are about."""
    identities: set[tuple[str, OpenId]] = field(default_factory=set)
    """Of which account, and who."""
    tickets: set[TicketId] = field(default_factory=set)
    cancelled: dict[TicketId, Ending] = field(default_factory=dict)

    def add(self, more: "Erased") -> None:
        """Take in what else was forgotten."""
        self.deleted.update(more.deleted)
        self.unnamed.update(more.unnamed)
        self.identities.update(more.identities)
        self.tickets.update(more.tickets)
        self.cancelled.update(more.cancelled)


@dataclass(slots=True)
class FollowerErasure:
    """Ends what is held about followers who unsubscribe from an account."""

    database: Database
    identities: Identities

    async def unfollowed(
        self, account: str, openid: OpenId, *, at: datetime, erase: bool, now: datetime
    ) -> Erased | None:
        """Note that a person left, by WeChat's CreateTime *at*; nothing if they have come back since.

        To *erase* them is to forget the person in every table, for all clients; return what that was.
        """

        async def work(connection: AsyncConnection) -> Erased | None:
            if erase:
                how: dict[str, Any] = {"source": ChangeSource.UNFOLLOW, "now": now, "until": at}
                return await forget_person(connection, self.identities, account, openid, **how)
            if person := await self.identities.find(connection, account, openid, hold=True):
                until_then = sa.and_(followers.c.id == person.id, followers.c.followed_at <= at)
                await connection.execute(sa.update(followers).where(until_then).values(subscribed=False))
            return None

        return await self.database.once(work)


async def forget_person(
    connection: AsyncConnection,
    identities: Identities,
    account: str,
    openid: OpenId,
    *,
    source: ChangeSource,
    now: datetime,
    until: datetime | None = None,
) -> Erased:
    """Forget a person within the caller's transaction; nothing is done if they have come back after *until*."""
    erased = Erased(identities={(account, openid)})
    # Again until there is none: while keys are rotated somebody may stand under two of them.
    while person := await identities.find(connection, account, openid, hold=True):
        since = sa.select(followers.c.followed_at).where(followers.c.id == person.id)
        if until and (await connection.execute(since)).scalar_one() > until:
            return Erased()
        await _forget_number(connection, erased, person.id, source=source, now=now)
    await _forget_record(connection, erased, account, openid)
    return erased


async def forget_user(
    connection: AsyncConnection, identities: Identities, client: str, user_id: UserId, *, now: datetime
) -> Erased:
    """Forget a user of a site within the caller's transaction, and every WeChat that is bound to nobody else.

    Codes that were to bind the user are cancelled: none can bring them back.
    """
    erased = Erased()
    await _cancel_requests(connection, erased, client, user_id, now=now)
    persons = await _bound_to(connection, identities, client, user_id)
    theirs = sa.and_(bindings.c.client == client, bindings.c.user_id == user_id)
    erased.deleted["bindings"] += await erase(connection, theirs, source=ChangeSource.PRIVACY, now=now)
    for person in persons:
        others = sa.select(bindings.c.id).where(bindings.c.follower_id == person.id).limit(1)
        if await connection.scalar(others) is not None:
            erased.unnamed["followers"] += 1
            continue
        erased.identities.add((person.account, person.openid))
        await _forget_number(connection, erased, person.id, source=ChangeSource.PRIVACY, now=now)
        await _forget_record(connection, erased, person.account, person.openid)
    await _forget_rows(connection, erased, client, user_id)
    return erased


async def _bound_to(
    connection: AsyncConnection, identities: Identities, client: str, user_id: UserId
) -> list[Identity]:
    """Return the people bound to a user, and hold them."""
    bound = sa.select(bindings.c.follower_id).where(bindings.c.client == client, bindings.c.user_id == user_id)
    numbers = (await connection.scalars(bound)).all()
    query = sa.select(*NAMES).where(followers.c.id.in_(numbers)).order_by(followers.c.id).with_for_update()
    rows = (await connection.execute(query)).mappings()
    return [person for row in rows if (person := identities.read(row))]


async def _forget_number(
    connection: AsyncConnection, erased: Erased, number: int, *, source: ChangeSource, now: datetime
) -> None:
    gone = await connection.execute(sa.delete(followers).where(followers.c.id == number))
    erased.deleted["followers"] += gone.rowcount
    answered = sa.select(endings.c.ticket).where(endings.c.follower_id == number)
    erased.tickets.update((await connection.scalars(answered)).all())
    # The endings before the bindings, as whoever exchanges a code does.
    await _unname(connection, erased, endings, number)
    whose = bindings.c.follower_id == number
    erased.deleted["bindings"] += await erase(connection, whose, source=source, now=now)
    await _unname(connection, erased, history, number)


async def _unname(connection: AsyncConnection, erased: Erased, table: sa.Table, number: int) -> None:
    theirs = sa.update(table).where(table.c.follower_id == number)
    erased.unnamed[table.name] += (await connection.execute(theirs.values(follower_id=None))).rowcount


async def _forget_record(connection: AsyncConnection, erased: Erased, account: str, openid: OpenId) -> None:
    theirs = sa.update(audit).where(audit.c.account == account, audit.c.openid == shortened(openid))
    erased.unnamed["audit"] += (await connection.execute(theirs.values(openid=None))).rowcount


async def _cancel_requests(
    connection: AsyncConnection, erased: Erased, client: str, user_id: UserId, *, now: datetime
) -> None:
    asked = bind_requests.c
    query = sa.select(asked.ticket, asked.account, asked.expires_at)
    rows = await connection.execute(query.where(asked.client == client, asked.user_id == user_id))
    for ticket, account, expires_at in rows.all():
        erased.tickets.add(ticket)
        if expires_at <= now:
            continue
        ending = Ending(ticket, client, Status.CANCELLED, now, expires_at, account=account, via=Via.BACKEND)
        try:
            async with connection.begin_nested():
                erased.cancelled[ticket] = await insert(connection, ending, None)
        except IntegrityError:
            continue  # it was answered


async def _forget_rows(connection: AsyncConnection, erased: Erased, client: str, user_id: UserId) -> None:
    for table in (bind_requests, portal_sessions, history):
        theirs = sa.and_(table.c.client == client, table.c.user_id == user_id)
        erased.deleted[table.name] += (await connection.execute(sa.delete(table).where(theirs))).rowcount
    named = sa.or_(endings.c.user_id == user_id, endings.c.registered_to == user_id)
    ended = sa.and_(endings.c.client == client, named)
    erased.tickets.update((await connection.scalars(sa.select(endings.c.ticket).where(ended))).all())
    # Without its person a registration is worth nothing, or it could be used again.
    nobody = {"user_id": None, "registered_to": None, "state": None, "follower_id": None}
    emptied = await connection.execute(sa.update(endings).where(ended).values(nobody))
    erased.unnamed["endings"] += emptied.rowcount
    recorded = sa.update(audit).where(audit.c.client == client, audit.c.user_id == user_id)
    erased.unnamed["audit"] += (await connection.execute(recorded.values(user_id=None))).rowcount
