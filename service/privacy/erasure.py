"""Erases a person, or a user of a site, in all tables. Rows that must stay are anonymized.

The person's own row is deleted first. A concurrent bind locks it (`Identities.find`): either its binding is
committed before and erased here, or it finds no person.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.binding import Change, ChangeSource, UserId
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.tables.bindings import bindings, history, separations
from models.tables.identities import followers
from models.tables.outbox import outbox
from models.tables.portal import portal_sessions
from models.tables.profiles import profiles
from models.tables.tickets import bind_requests, endings
from models.ticket import Ending, Status, TicketId, Via
from models.webhook import WebhookEvent
from service.bindings.changes import changing, tell_follow
from service.bindings.repository import erase
from service.identities.followers import unfollow
from service.identities.repository import Identities, Identity
from service.outbox.queue import drop_notices, erase_payloads
from service.storage.database import Database
from service.storage.inserting import appending
from service.tickets.endings import append_ending


@dataclass(frozen=True, slots=True)
class Erased:
    """Result of an erasure: the number of rows per table, and what to erase in Redis."""

    deleted: Counter[str] = field(default_factory=Counter)
    unnamed: Counter[str] = field(default_factory=Counter)
    """Rows that stay, without the person or user."""
    identities: set[tuple[str, OpenId]] = field(default_factory=set)
    """Pairs of account and openid."""
    tickets: set[TicketId] = field(default_factory=set)
    cancelled: dict[TicketId, Ending] = field(default_factory=dict)

    def add(self, more: "Erased") -> None:
        """Merge another result."""
        self.deleted.update(more.deleted)
        self.unnamed.update(more.unnamed)
        self.identities.update(more.identities)
        self.tickets.update(more.tickets)
        self.cancelled.update(more.cancelled)


@dataclass(slots=True)
class FollowerErasure:
    """Erases followers who unsubscribe from an account."""

    database: Database
    identities: Identities

    async def unfollowed(
        self,
        account: str,
        openid: OpenId,
        *,
        at: datetime,
        erase: bool,
        now: datetime,
        source: ChangeSource = ChangeSource.UNFOLLOW,
    ) -> Erased | None:
        """Handle an unsubscribe of WeChat's CreateTime *at*; does nothing if they subscribed again since.

        With *erase*, erase them in all tables, for all clients, and return the result.
        """

        def work(connection: sa.Connection) -> Erased | None:
            if erase:
                how: dict[str, Any] = {"source": source, "now": now, "until": at}
                return forget_person(connection, self.identities, account, openid, **how)
            if left := unfollow(connection, self.identities, account, openid, until=at):
                tell_follow(connection, self.identities, left, at)
            return None

        return await self.database.once(work)


def forget_person(
    connection: sa.Connection,
    identities: Identities,
    account: str,
    openid: OpenId,
    *,
    source: ChangeSource,
    now: datetime,
    until: datetime | None = None,
) -> Erased:
    """Erase a person within the caller's transaction, unless they subscribed again after *until*."""
    erased = Erased(identities={(account, openid)})
    # Repeat until none is found: during a key rotation a person may have a row per key.
    while person := identities.find(connection, account, openid, hold=True):
        since = sa.select(followers.c.followed_at).where(followers.c.id == person.id)
        if until and connection.execute(since).scalar_one() > until:
            return Erased()
        _forget_identity(connection, erased, identities, person, source=source, now=now)
    _forget_record(connection, erased, account, openid)
    return erased


def forget_user(
    connection: sa.Connection, identities: Identities, client: str, user_id: UserId, *, now: datetime
) -> Erased:
    """Erase a user of a site within the caller's transaction, and each WeChat bound to no other user.

    Open bind tickets of the user are cancelled, so that none binds them again.
    """
    erased = Erased()
    _cancel_requests(connection, erased, client, user_id, now=now)
    persons = _bound_to(connection, identities, client, user_id)
    theirs = sa.and_(bindings.c.client == client, bindings.c.user_id == user_id)
    _forget_events(connection, erased, _naming(client, user_id))
    for person in persons:
        _forget_conflicts(connection, erased, person)
    with changing(connection, identities, *persons) as rows:
        erased.deleted["bindings"] += erase(connection, theirs, rows=rows, source=ChangeSource.PRIVACY, now=now)
    for person in persons:
        others = sa.select(bindings.c.id).where(bindings.c.follower_id == person.id).limit(1)
        if connection.scalar(others) is not None:
            erased.unnamed["followers"] += 1
            continue
        erased.identities.add((person.account, person.openid))
        _forget_identity(connection, erased, identities, person, source=ChangeSource.PRIVACY, now=now)
        _forget_record(connection, erased, person.account, person.openid)
    _forget_rows(connection, erased, client, user_id)
    return erased


def _bound_to(connection: sa.Connection, identities: Identities, client: str, user_id: UserId) -> list[Identity]:
    """Return all identities of the people bound to a user, and lock their rows."""
    bound = sa.select(bindings.c.follower_id).where(bindings.c.client == client, bindings.c.user_id == user_id)
    return identities.persons(connection, followers.c.id.in_(bound), lock=True)


def _forget_identity(
    connection: sa.Connection,
    erased: Erased,
    identities: Identities,
    identity: Identity,
    *,
    source: ChangeSource,
    now: datetime,
) -> None:
    number = identity.id
    gone = connection.execute(sa.delete(followers).where(followers.c.id == number))
    erased.deleted["followers"] += gone.rowcount
    answered = sa.select(endings.c.ticket).where(endings.c.follower_id == number)
    erased.tickets.update(connection.scalars(answered).all())
    # Endings before bindings: the lock order of an exchange.
    _unname(connection, erased, endings, number)
    _forget_events(connection, erased, outbox.c.follower_id == number)
    _forget_conflicts(connection, erased, identity)
    whose = bindings.c.follower_id == number
    with changing(connection, identities, identity) as rows:
        erased.deleted["bindings"] += erase(connection, whose, rows=rows, source=source, now=now)
    # Bindings before profiles: the lock order of a disconnect.
    named = connection.execute(sa.delete(profiles).where(profiles.c.follower_id == number))
    erased.deleted["profiles"] += named.rowcount
    apart = connection.execute(sa.delete(separations).where(separations.c.follower_id == number))
    erased.deleted["separations"] += apart.rowcount
    _unname(connection, erased, history, number)


def _forget_events(connection: sa.Connection, erased: Erased, whose: sa.ColumnElement[bool]) -> None:
    """Erase the content of events that were delivered; others must still tell the site, but not the person."""
    erased.deleted["outbox"] += drop_notices(connection, whose)
    erased.unnamed["outbox"] += erase_payloads(connection, whose)


def _forget_conflicts(connection: sa.Connection, erased: Erased, identity: Identity) -> None:
    """Erase the content of the events that name all identities and users of a person."""
    if identity.person is not None:
        conflict = sa.and_(outbox.c.event == WebhookEvent.PERSON_CONFLICT, outbox.c.person_id == identity.person)
        _forget_events(connection, erased, conflict)


def _naming(client: str, user_id: UserId) -> sa.ColumnElement[bool]:
    """Select the events of a user, and those of identities that moved from the user to another."""
    moved = sa.select(history.c.follower_id).where(
        history.c.client == client, history.c.user_id == user_id, history.c.change == Change.MOVED
    )
    to_others = sa.and_(outbox.c.event == WebhookEvent.BINDING_MOVED, outbox.c.follower_id.in_(moved))
    return sa.and_(outbox.c.client == client, sa.or_(outbox.c.user_id == user_id, to_others))


def _unname(connection: sa.Connection, erased: Erased, table: sa.Table, number: int) -> None:
    theirs = sa.update(table).where(table.c.follower_id == number)
    erased.unnamed[table.name] += connection.execute(theirs.values(follower_id=None)).rowcount


def _forget_record(connection: sa.Connection, erased: Erased, account: str, openid: OpenId) -> None:
    theirs = sa.update(audit).where(audit.c.account == account, audit.c.openid == shortened(openid))
    erased.unnamed["audit"] += connection.execute(theirs.values(openid=None)).rowcount


def _cancel_requests(
    connection: sa.Connection, erased: Erased, client: str, user_id: UserId, *, now: datetime
) -> None:
    asked = bind_requests.c
    query = sa.select(asked.ticket, asked.account, asked.expires_at)
    requests = connection.execute(query.where(asked.client == client, asked.user_id == user_id)).all()
    for ticket, account, expires_at in requests:
        erased.tickets.add(ticket)
        if expires_at <= now:
            continue
        ending = Ending(ticket, client, Status.CANCELLED, now, expires_at, account=account, via=Via.BACKEND)
        try:
            with connection.begin_nested(), appending(connection) as rows:
                kept = append_ending(rows, ending, None)
        except IntegrityError:
            continue  # it has ended already
        erased.cancelled[ticket] = kept


def _forget_rows(connection: sa.Connection, erased: Erased, client: str, user_id: UserId) -> None:
    for table in (bind_requests, portal_sessions, history):
        theirs = sa.and_(table.c.client == client, table.c.user_id == user_id)
        erased.deleted[table.name] += connection.execute(sa.delete(table).where(theirs)).rowcount
    named = sa.or_(endings.c.user_id == user_id, endings.c.registered_to == user_id)
    ended = sa.and_(endings.c.client == client, named)
    erased.tickets.update(connection.scalars(sa.select(endings.c.ticket).where(ended)).all())
    # Also the person, or the registration could be used again.
    anonymous = {"user_id": None, "registered_to": None, "state": None, "follower_id": None}
    emptied = connection.execute(sa.update(endings).where(ended).values(anonymous))
    erased.unnamed["endings"] += emptied.rowcount
    recorded = sa.update(audit).where(audit.c.client == client, audit.c.user_id == user_id)
    erased.unnamed["audit"] += connection.execute(recorded.values(user_id=None)).rowcount
