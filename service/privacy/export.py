"""Exports all data about a person, or about a user of a site, by table."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.binding import UserId
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.tables.bindings import bindings, history, separations
from models.tables.identities import NEVER, followers
from models.tables.outbox import outbox
from models.tables.portal import portal_sessions
from models.tables.profiles import profiles
from models.tables.tickets import bind_requests, endings
from models.ticket import Ticket
from models.timestamps import rfc3339
from models.wecom import names_of
from service.crypto.field_encryption import FieldCipher
from service.identities.profiles import opened
from service.identities.repository import Identities, Identity
from service.outbox.outbox import payload_of

_OURS: Final = (
    *("id", "follower_id", "openid_sealed", "unionid_sealed", "sealed_by"),
    *("person", "open_platform", "primary_of", "primary_in"),
)
"""Internal columns, not exported: they contain no personal data."""
_TABLES: Final = {
    "bindings": bindings,
    "history": history,
    "separations": separations,
    "endings": endings,
    "bind_requests": bind_requests,
    "portal_sessions": portal_sessions,
    "record": audit,
}

User = tuple[str, UserId]
"""A client and one of its users."""
Wanted = Mapping[str, Sequence[sa.ColumnElement[bool]]]


def persons(
    connection: sa.Connection,
    identities: Identities,
    *,
    openid: OpenId | None,
    account: str | None,
    user: User | None,
) -> list[Identity]:
    """Return the known people with an openid, or those bound to a user: all identities of each.

    An *account* limits it to the identity there.
    """
    if openid and account:
        return identities.select(
            connection, sa.and_(identities.with_openid(openid), followers.c.account == account)
        )
    bound = sa.select(bindings.c.follower_id).where(*_of_user(bindings, user)) if user else ()
    return identities.persons(connection, identities.with_openid(openid) if openid else followers.c.id.in_(bound))


def disclose(
    connection: sa.Connection,
    identities: Sequence[Identity],
    *,
    cipher: FieldCipher,
    names: Iterable[tuple[str, OpenId]],
    user: User | None,
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables about *identities* and *user*; *names* are the openids in the audit log."""
    numbers = {person.id: named(person) for person in identities}
    about = sa.select(*(followers.c[name] for name in ("id", "lang", "asked_at", "followed_at")))
    rows = connection.execute(about.where(followers.c.id.in_(numbers))).mappings()
    more = {row["id"]: {name: row[name] for name in row if name != "id"} for row in rows}
    for one in more.values():
        one["followed_at"] = None if one["followed_at"] == NEVER else one["followed_at"]
    people = [asdict(person) | named(person) | more.get(person.id, {}) for person in identities]
    tables = {"people": [plain(person, without=_OURS) for person in people]}
    kept = connection.execute(sa.select(profiles).where(profiles.c.follower_id.in_(numbers))).mappings()
    tables["profiles"] = [numbers[row["follower_id"]] | _profile(row, cipher) for row in kept]
    events = sa.select(outbox).where(_of_events(list(numbers), user)).order_by(outbox.c.id)
    tables["webhooks"] = [_event(row, cipher) for row in connection.execute(events).mappings()]
    for name, conditions in _wanted(list(numbers), names, user).items():
        table = _TABLES[name]
        found = []
        if conditions:
            query = sa.select(table).where(sa.or_(*conditions)).order_by(*table.primary_key)
            found = [dict(row) for row in connection.execute(query).mappings()]
        for row in found:
            if "follower_id" in row:
                row.update(numbers.get(row["follower_id"], {"openid": None}))
        tables[name] = [plain(row, without=_OURS) for row in found]
    return tables


def _profile(row: RowMapping, cipher: FieldCipher) -> dict[str, Any]:
    """Return nickname and picture, the picture as a JPEG in base64."""
    it = opened(row, cipher)
    picture = base64.b64encode(it.picture).decode() if it.picture else None
    return plain({"nickname": it.nickname, "picture": picture, "at": row["at"]})


def _event(row: RowMapping, cipher: FieldCipher) -> dict[str, Any]:
    """Return an event for webhooks with what is sent of it, once for each endpoint that hears of it."""
    sealed, about = row["payload"], payload_of(row["message"])
    payload = json.loads(cipher.unseal(sealed, about=about, by=row["sealed_by"])) if sealed else None
    shown = ("message", "client", "event", "at", "state", "tries", "tried_at")
    return plain({name: row[name] for name in shown} | {"payload": payload})


def _of_events(numbers: Sequence[int], user: User | None) -> sa.ColumnElement[bool]:
    theirs = outbox.c.follower_id.in_(numbers)
    return sa.or_(theirs, sa.and_(*_of_user(outbox, user))) if user else theirs


def named(person: Identity) -> dict[str, str | None]:
    """Return the openid; in WeCom, openid and userid."""
    names = names_of(person.openid, person.appid)
    return {"openid": names.openid} if names.openid == person.openid else asdict(names)


def held(ticket: Ticket) -> dict[str, Any]:
    """Return a ticket in Redis as JSON values."""
    shown = {name: value for name, value in asdict(ticket).items() if name != "version"}
    return plain(shown | {"openid": ticket.openid and names_of(ticket.openid, None).openid})


def plain(values: Mapping[str, Any], *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return *values* as JSON values; times are RFC 3339 in UTC."""
    return {name: _plain(value) for name, value in values.items() if name not in without}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value, "milliseconds")
    if isinstance(value, StrEnum):
        return value.value
    return plain(value) if isinstance(value, Mapping) else value


def _wanted(numbers: Sequence[int], names: Iterable[tuple[str, OpenId]], user: User | None) -> Wanted:
    conditions: dict[str, list[sa.ColumnElement[bool]]] = {name: [] for name in _TABLES}
    for name in ("bindings", "history", "separations", "endings") if numbers else ():
        conditions[name].append(_TABLES[name].c.follower_id.in_(numbers))
    for account, openid in names:
        them = sa.and_(audit.c.account == account, audit.c.openid == shortened(openid))
        conditions["record"].append(them)
    if user:
        for name, table in _TABLES.items():
            if "user_id" in table.c:
                conditions[name].append(sa.and_(*_of_user(table, user)))
        client, user_id = user
        conditions["endings"].append(sa.and_(endings.c.client == client, endings.c.registered_to == user_id))
    return conditions


def _of_user(table: sa.Table, user: User) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    client, user_id = user
    return table.c.client == client, table.c.user_id == user_id
