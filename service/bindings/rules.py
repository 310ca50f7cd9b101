"""Decides whether a WeChat can be bound to a user. Constraints decide between concurrent transactions.

A client has one user for a person and, of each Open Platform account, one person for a user. One of the person's
bindings at the client says so in two unique columns; their other bindings there rely on it (docs/adr/0029).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa

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
from models.method import Method
from models.tables.bindings import bindings, separations
from models.tables.columns import to_millisecond
from models.tables.identities import followers
from service.bindings.rows import Changes, Row, add_row, change_row, hold_row, remove_row, select_rows, shown
from service.identities.repository import Identity
from service.storage.inserting import NewId

# A round fails only if another transaction bound or unbound the same user or WeChat in between.
_ROUNDS: Final = 8


def bind(
    connection: sa.Connection,
    identity: Identity,
    *,
    rows: Changes,
    client: str,
    user_id: UserId,
    policy: Policy,
    method: Method,
    source: ChangeSource,
    now: datetime,
) -> BindResult:
    """Bind a WeChat to a user, within the caller's transaction; with a Conflict nothing was changed.

    The entries of the history are added to *rows*, which the caller writes. The bindings of the person to another
    user in other accounts conflict as well, and so do those of the user to another person.

    Raises:
        StoreUnavailable: concurrent transactions kept changing the same bindings.
    """
    wanted = _row(identity, client=client, user_id=user_id, consent=policy.consent, method=method, now=now)
    # What is bound in its own account is read only if the insert fails. A person may have more elsewhere.
    standing = _standing(connection, wanted, identity) if identity.person else []
    removed = False
    for _ in range(_ROUNDS):
        if same := [it for it in standing if it.user_id == user_id and it.follower_id == identity.id]:
            return AlreadyBound(shown(_agreed(connection, same[0], policy), identity))
        conflicting = [it for it in standing if not _goes_with(it, wanted, identity)]
        if reason := _refusal(conflicting, wanted, policy):
            if removed:  # by then it was permitted: only the error takes it back
                break
            return Conflict(reason)
        if conflicting:
            _remove_with_others(connection, conflicting, wanted, identity, rows=rows, source=source, now=now)
            removed = True
        relying = [it for it in standing if it not in conflicting]
        if placed := _place(connection, wanted, identity, relying, rows=rows, source=source, now=now):
            return Bound(shown(placed, identity))
        standing = _standing(connection, wanted, identity)
    raise StoreUnavailable("the binding is being changed by concurrent requests")


def owner(connection: sa.Connection, identity: Identity, *, client: str) -> Binding | None:
    """Return the binding of an identity at a client."""
    of = bindings.c
    found = select_rows(
        connection, of.client == client, of.account == identity.account, of.follower_id == identity.id
    )
    return shown(found[0], identity) if found else None


def resolve(
    connection: sa.Connection,
    identity: Identity,
    *,
    rows: Changes,
    client: str,
    method: Method,
    now: datetime,
) -> Binding | None:
    """Return the binding of an identity at a client; if it has none, that of its person, to which it is added.

    The person's oldest binding counts, should there be two users. Never across clients. None also if the identity
    was disconnected alone, or that user has another WeChat in this account. It is added beside another person of
    that user, who was bound before both were known.

    Raises:
        StoreUnavailable: concurrent transactions kept changing the same bindings.
    """
    # Of a person who is written late, nothing is bound.
    found = None if isinstance(identity.id, NewId) else owner(connection, identity, client=client)
    if found or identity.person is None:
        return found
    for _ in range(_ROUNDS):
        standing = _of_person(connection, identity, client=client)
        if not standing:
            return None
        # A binding in this very account is that of an appid of before: the new openid takes its place.
        known = min(standing, key=lambda it: it.account != identity.account)
        theirs = bindings.c.user_id == known.user_id
        former = select_rows(connection, *_at(client, identity.account), theirs)
        if former and known not in former:
            return None
        source = ChangeSource.UNIONID
        for it in former:
            remove_row(connection, it, Change.REPLACED, rows=rows, source=source, now=now)
        wanted = _row(
            identity, client=client, user_id=known.user_id, consent=known.consent, method=method, now=now
        )
        here = bindings.c.primary_in == identity.open_platform
        primary = select_rows(connection, bindings.c.client == client, here, theirs)  # perhaps another person's
        relying = [it for it in dict.fromkeys([*standing, *primary]) if it not in former]
        if placed := _place(connection, wanted, identity, relying, rows=rows, source=source, now=now):
            return shown(placed, identity)
        if former:  # only the error takes back that they were removed
            break
    raise StoreUnavailable("the binding is being changed by concurrent requests")


def logged_in(
    connection: sa.Connection, identity: Identity, *, client: str, user_id: UserId, now: datetime
) -> Binding | None:
    """Store the time of a login on its binding; None if the binding was removed."""
    theirs = sa.and_(bindings.c.user_id == user_id, bindings.c.follower_id == identity.id)
    this = sa.update(bindings).where(*_at(client, identity.account), theirs)
    if not connection.execute(this.values(last_login_at=now)).rowcount:
        return None
    return owner(connection, identity, client=client)


def _row(
    identity: Identity, *, client: str, user_id: UserId, consent: str | None, method: Method, now: datetime
) -> Row:
    bound_at = to_millisecond(now)
    return Row(client, identity.account, user_id, identity.id, bound_at, consent=consent, method=method)


def _at(client: str, account: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return bindings.c.client == client, bindings.c.account == account


def _standing(connection: sa.Connection, wanted: Row, identity: Identity) -> list[Row]:
    """Return the client's bindings of this user or WeChat that may be in the way, or go with the wanted one."""
    of, at = bindings.c, bindings.c.client == wanted.client
    # Two queries: no database uses an index for columns of two tables of which one must match.
    of_user = [
        it
        for it in select_rows(connection, at, of.user_id == wanted.user_id)
        if it.account == wanted.account or (identity.person and it.joined_in == identity.open_platform)
    ]
    whose = followers.c.person_id == identity.person if identity.person else of.follower_id == identity.id
    return list(dict.fromkeys([*of_user, *_of_followers(connection, whose, client=wanted.client)]))


def _of_person(connection: sa.Connection, identity: Identity, *, client: str) -> list[Row]:
    """Return the person's bindings at a client; none if this identity was disconnected alone."""
    alone = sa.exists().where(separations.c.client == client, separations.c.follower_id == identity.id)
    return _of_followers(connection, followers.c.person_id == identity.person, ~alone, client=client)


def _of_followers(connection: sa.Connection, *whose: sa.ColumnElement[bool], client: str) -> list[Row]:
    # The client is compared here: told to, SQLite would read all bindings of the client.
    return [it for it in select_rows(connection, *whose) if it.client == client]


def _goes_with(it: Row, wanted: Row, identity: Identity) -> bool:
    """Return whether a binding is that of the same person to the same user, in another account."""
    same_person = identity.person is not None and it.person == identity.person
    return same_person and it.user_id == wanted.user_id and it.account != wanted.account


def _refusal(conflicting: Sequence[Row], wanted: Row, policy: Policy) -> ConflictReason | None:
    """Return why the client's policy forbids replacing the conflicting bindings; WECHAT takes precedence."""
    if not policy.takeover_moves and any(it.user_id != wanted.user_id for it in conflicting):
        return ConflictReason.WECHAT
    if not policy.rebind_replaces and any(it.user_id == wanted.user_id for it in conflicting):
        return ConflictReason.USER
    return None


def _remove_with_others(
    connection: sa.Connection,
    conflicting: Sequence[Row],
    wanted: Row,
    identity: Identity,
    *,
    rows: Changes,
    source: ChangeSource,
    now: datetime,
) -> None:
    """Remove the conflicting bindings, and with them those of the same persons to the same users."""
    whose = {(it.person, it.user_id) for it in conflicting if it.person}
    of_persons = followers.c.person_id.in_({person for person, _ in whose})
    for _ in range(_ROUNDS):
        for it in conflicting:
            change = Change.REPLACED if it.user_id == wanted.user_id else Change.MOVED
            remove_row(connection, it, change, rows=rows, source=source, now=now)
        # Again: while this waited for a row, a login may have added one that relies on it.
        found = _of_followers(connection, of_persons, client=wanted.client) if whose else ()
        conflicting = [
            it for it in found if (it.person, it.user_id) in whose and not _goes_with(it, wanted, identity)
        ]
        if not conflicting:
            return
    raise StoreUnavailable("the binding is being changed by concurrent requests")


def _place(
    connection: sa.Connection,
    wanted: Row,
    identity: Identity,
    relying: Sequence[Row],
    *,
    rows: Changes,
    source: ChangeSource,
    now: datetime,
) -> Row | None:
    """Insert a binding that goes with *relying*; None if another transaction changed what it relies on."""
    if identity.person:
        primary = next((it for it in relying if it.primary_of == identity.person), None)
        same = (it for it in relying if it.person == identity.person and it.user_id == wanted.user_id)
        # One is enough: a transaction that removes them all waits for it, and then finds the new one.
        if (held := next(same, primary)) and not hold_row(connection, held):
            return None
        if primary is None:
            for it in relying:  # of a person who was joined to this one since, or another one of the same user
                if it.primary_in == identity.open_platform:
                    change_row(connection, it, primary_of=None, primary_in=None)
            wanted = replace(wanted, primary_of=identity.person, primary_in=identity.open_platform)
    if add_row(connection, wanted, rows=rows, source=source, now=now):
        return wanted
    if wanted.primary_in is not None:
        _unmark_moved(connection, wanted)
    return None


def _unmark_moved(connection: sa.Connection, wanted: Row) -> None:
    """Let a binding of the user be primary no more if its account is in another Open Platform account now."""
    of, word = bindings.c, wanted.primary_in
    theirs = (of.client == wanted.client, of.primary_in == word, of.user_id == wanted.user_id)
    still = sa.exists().where(followers.c.id == of.follower_id, followers.c.open_platform == word)
    connection.execute(sa.update(bindings).where(*theirs, ~still).values(primary_of=None, primary_in=None))


def _agreed(connection: sa.Connection, it: Row, policy: Policy) -> Row:
    """Store the version of the consent notice that was accepted now, if there is one and it differs."""
    return it if policy.consent in (None, it.consent) else change_row(connection, it, consent=policy.consent)
