"""Tells clients of changes of their bindings, by events in the transaction of the change (contract.md 9)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from models.binding import Binding, Change, ChangeSource
from models.method import KINDS
from models.notice import is_told
from models.tables.bindings import bindings
from models.tables.identities import followers
from models.webhook import RemovalReason, WebhookEvent
from models.wecom import names_of
from service.bindings.rows import Changed, Changes, select_rows, shown
from service.identities.repository import Identities, Identity
from service.outbox.outbox import About
from service.storage.inserting import AppendedRows, appending

_REASONS: Final[Mapping[Change | ChangeSource, RemovalReason]] = {
    Change.REPLACED: RemovalReason.REPLACED,
    Change.MOVED: RemovalReason.REPLACED,  # with the person, whose other identity moved
    ChangeSource.PORTAL: RemovalReason.USER,
    ChangeSource.UNDO: RemovalReason.USER,
    ChangeSource.SITE: RemovalReason.SITE,
    ChangeSource.UNFOLLOW: RemovalReason.UNFOLLOWED,
    ChangeSource.REVOCATION: RemovalReason.ERASED,
    ChangeSource.CANCELLATION: RemovalReason.ERASED,
    ChangeSource.PRIVACY: RemovalReason.ERASED,
}
"""Why a binding was removed, by the change, else by its source."""


@contextmanager
def changing(connection: sa.Connection, identities: Identities, *known: Identity) -> Iterator[Changes]:
    """Yield rows to add to, and write them at the end of the context, with the events that they cause.

    *known* are identities that need not be read again, or cannot be, because they are being erased.

    Raises:
        IntegrityError: a constraint forbids one of the rows.
    """
    changes = Changes()
    yield changes
    write_changes(connection, identities, changes, *known)


def write_changes(connection: sa.Connection, identities: Identities, changes: Changes, *known: Identity) -> None:
    """Write the rows of *changes*, with the events that they cause; *known* as in `changing`.

    Raises:
        IntegrityError, TakenError: as `AppendedRows.write`.
    """
    if made := [it for it in changes.made if identities.outbox.hears(it.row.client)]:
        people = {it.id: it for it in known}
        if missing := {it.row.follower_id for it in made} - people.keys():
            people |= {it.id: it for it in identities.select(connection, followers.c.id.in_(missing))}
        for client in dict.fromkeys(it.row.client for it in made):
            _tell(changes, identities, [it for it in made if it.row.client == client], people)
    changes.write(connection)


def tell(
    rows: AppendedRows,
    identities: Identities,
    event: WebhookEvent,
    of: tuple[Binding, Identity],
    *,
    at: datetime,
    erased: bool = False,
    notice: bool = False,
    **more: str,
) -> None:
    """Add an event about a binding and its identity to the rows of the caller's transaction.

    *more* are other members of `data`; *erased* says that the person is being erased, *notice* that they are told
    of it in the chat.
    """
    binding, identity = of
    data = {"user_id": binding.user_id, **more, "identity": identity_fields(binding)}
    about = About(
        user_id=binding.user_id, follower_id=identity.id, person=identity.person, erased=erased, notice=notice
    )
    identities.outbox.add(rows, event, client=binding.client, data=data, at=at, about=about)


def tell_follow(connection: sa.Connection, identities: Identities, identity: Identity, at: datetime) -> None:
    """Tell each client that has bound an identity that it follows the account, or does not any more."""
    if not identities.outbox.subscriptions:
        return
    event = WebhookEvent.FOLLOWED if identity.subscribed else WebhookEvent.UNFOLLOWED
    with appending(connection) as rows:
        for row in select_rows(connection, bindings.c.follower_id == identity.id):
            tell(rows, identities, event, (shown(row, identity), identity), at=at)


def identity_fields(binding: Binding) -> dict[str, Any]:
    """Return what WeChat calls the person of a binding, as JSON values (contract.md 8.5)."""
    names = names_of(binding.openid, binding.appid)
    return {
        "method": binding.method,
        "kind": KINDS[binding.method],
        "account": binding.account,
        "appid": binding.appid,
        "openid": names.openid,
        "unionid": binding.unionid,
        "userid": names.userid,
        "subscribed": binding.subscribed,
    }


def _tell(rows: Changes, identities: Identities, made: Sequence[Changed], people: Mapping[int, Identity]) -> None:
    """Add the events of one client's changes."""
    moves = _moves(made)
    notices = _notices(made, moves, people)
    for it in made:
        identity = people.get(it.row.follower_id)
        if identity is None or it in moves.values():
            continue
        of, notice = (shown(it.row, identity), identity), it in notices
        if it.change is Change.BOUND:
            moved = moves.get(it.row.follower_id)
            event = WebhookEvent.BINDING_MOVED if moved else WebhookEvent.BINDING_CREATED
            previous: dict[str, Any] = {"previous": moved.row.user_id} if moved else {}
            tell(rows, identities, event, of, at=it.at, notice=notice, **previous)
        elif reason := _REASONS.get(it.change) or _REASONS.get(it.source):
            _tell_removed(rows, identities, of, it, reason, notice=notice)


def _notices(
    made: Sequence[Changed], moves: Mapping[int, Changed], people: Mapping[int, Identity]
) -> Collection[Changed]:
    """Return the changes that holders are told of: of each person's, the first."""
    notices = dict[tuple[str, int], Changed]()
    for it in made:
        identity, moved = people.get(it.row.follower_id), it.change is Change.BOUND and it.row.follower_id in moves
        if identity and is_told(it.change, it.source, it.row.method, moved=moved):
            holder = ("person", identity.person) if identity.person else ("identity", identity.id)
            notices.setdefault(holder, it)
    return notices.values()


def _moves(made: Sequence[Changed]) -> Mapping[int, Changed]:
    """Return the binding that each one made now took the place of, at another user; by the follower.

    That of the same identity or, if there is none, of another one of the person.
    """
    left, moves = [it for it in made if it.change is Change.MOVED], dict[int, Changed]()
    for follower_id in [it.row.follower_id for it in made if it.change is Change.BOUND and left]:
        moved = next((it for it in left if it.row.follower_id == follower_id), left[0])
        moves[follower_id] = moved
        left.remove(moved)
    return moves


def _tell_removed(
    rows: Changes,
    identities: Identities,
    of: tuple[Binding, Identity],
    it: Changed,
    reason: RemovalReason,
    *,
    notice: bool,
) -> None:
    how: dict[str, Any] = {"at": it.at, "erased": it.change is Change.ERASED}
    if it.source is ChangeSource.UNFOLLOW:
        of = replace(of[0], subscribed=False), of[1]
        tell(rows, identities, WebhookEvent.UNFOLLOWED, of, **how)
    tell(rows, identities, WebhookEvent.BINDING_REMOVED, of, reason=reason, notice=notice, **how)
