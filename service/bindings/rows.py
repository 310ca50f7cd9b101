"""Rows of the table of bindings. Each change is written to the history in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.binding import Binding, Change, ChangeSource, UserId
from models.method import Method
from models.tables.bindings import bindings, history, separations
from models.tables.identities import followers
from models.tables.profiles import profiles
from service.identities.repository import Identity
from service.storage.inserting import AppendedRows, insert_unless_taken


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of bindings, with the follower's id."""

    client: str
    account: str
    user_id: UserId
    follower_id: int
    bound_at: datetime
    last_login_at: datetime | None = None
    consent: str | None = None
    method: Method = Method.SCAN
    primary_of: int | None = None
    """The person, in one of their rows: the constraints decide by it which user is theirs."""
    primary_in: str | None = None
    """The Open Platform account, in the same row: there the user has no other person."""
    person: int | None = None
    """The person of the follower, and below where they were joined; not in this table."""
    joined_in: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a binding."""

    row: Row
    change: Change
    source: ChangeSource
    at: datetime


class Changes(AppendedRows):
    """Rows that a transaction adds, and the changes of bindings that it makes."""

    def __init__(self, *, late: bool = False, alone: bool = False) -> None:
        super().__init__(late=late, alone=alone)
        self.made: list[Changed] = []


_STORED: Final = Row.__slots__[:-2]
COLUMNS: Final = [*(bindings.c[name] for name in _STORED), followers.c.person_id, followers.c.open_platform]


def read_row(row: RowMapping) -> Row:
    return Row(*(row[column] for column in COLUMNS))


def select_rows(connection: sa.Connection, *where: sa.ColumnElement[bool], erased: bool = False) -> list[Row]:
    """Return the bindings that *where* selects, the oldest first. It may name columns of followers.

    With *erased*, also those whose follower was deleted before.
    """
    query = (
        sa.select(*COLUMNS)
        .join_from(bindings, followers, followers.c.id == bindings.c.follower_id, isouter=erased)
        .where(*where)
        .order_by(bindings.c.bound_at, bindings.c.id)
    )
    return [read_row(row) for row in connection.execute(query).mappings()]


def hold_row(connection: sa.Connection, it: Row) -> bool:
    """Lock a binding that was just read; False if another transaction removed it."""
    return connection.scalar(sa.select(bindings.c.id).where(_this_row(it)).with_for_update()) is not None


def change_row(connection: sa.Connection, it: Row, **values: Any) -> Row:
    """Update columns of a binding that was just read; return the changed row."""
    connection.execute(sa.update(bindings).where(_this_row(it)).values(values))
    return replace(it, **values)


def add_row(connection: sa.Connection, it: Row, *, rows: Changes, source: ChangeSource, now: datetime) -> bool:
    """Insert a binding; False, with nothing changed, if a constraint forbids it."""
    taken = rows.insert_unless_taken(connection, bindings, _values(it)) is None
    if not taken:
        _record(rows, it, Change.BOUND, source=source, now=now)
    return not taken


def remove_row(
    connection: sa.Connection,
    it: Row,
    change: Change,
    *,
    rows: Changes,
    source: ChangeSource,
    now: datetime,
    alone: bool = False,
) -> bool:
    """Remove a binding that was just read; False if another transaction was first.

    *alone* keeps the identity from being bound again through its person; any other removal permits it again. With
    their last binding the person's name and picture are deleted, unless it moves to another user; an erasure does
    that itself.
    """
    if not connection.execute(sa.delete(bindings).where(_this_row(it))).rowcount:
        return False
    _record(rows, it, change, source=source, now=now)
    if change in (Change.DISCONNECTED, Change.REPLACED):
        _forget_profile(connection, it.follower_id)
    if alone:
        row = {"client": it.client, "follower_id": it.follower_id, "at": now}
        insert_unless_taken(connection, separations, row)
    else:
        theirs = sa.and_(separations.c.client == it.client, separations.c.follower_id == it.follower_id)
        connection.execute(sa.delete(separations).where(theirs))
    return True


def carry_row(
    connection: sa.Connection, it: Row, *, rows: Changes, source: ChangeSource, now: datetime, **values: Any
) -> Row:
    """Update columns of a binding that was just read, with its identity's; return the changed row.

    Raises:
        IntegrityError: a constraint forbids it.
    """
    moved = change_row(connection, it, **values)
    _record(rows, moved, Change.MIGRATED, source=source, now=now)
    return moved


def shown(row: Row, person: Identity) -> Binding:
    """Return the binding of *row* and its identity."""
    return Binding(
        client=row.client,
        account=row.account,
        user_id=row.user_id,
        openid=person.openid,
        bound_at=row.bound_at,
        last_login_at=row.last_login_at,
        consent=row.consent,
        method=row.method,
        unionid=person.unionid,
        subscribed=person.subscribed,
        appid=person.appid,
    )


def _forget_profile(connection: sa.Connection, number: int) -> None:
    """Delete the name and picture of an identity that no client has bound."""
    theirs = profiles.c.follower_id == number
    # Locked first: of two transactions that remove a binding each, the later one must see neither.
    connection.execute(sa.select(profiles.c.follower_id).where(theirs).with_for_update())
    bound = sa.select(bindings.c.id).where(bindings.c.follower_id == number)
    connection.execute(sa.delete(profiles).where(theirs, ~bound.exists()))


def _this_row(it: Row) -> sa.ColumnElement[bool]:
    """Return the condition that finds *it* while it is the same binding."""
    return sa.and_(
        bindings.c.client == it.client,
        bindings.c.account == it.account,
        bindings.c.user_id == it.user_id,
        bindings.c.follower_id == it.follower_id,
    )


def _values(it: Row) -> Mapping[str, Any]:
    return {name: getattr(it, name) for name in _STORED}


def _record(rows: Changes, it: Row, change: Change, *, source: ChangeSource, now: datetime) -> None:
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
    rows.made.append(Changed(it, change, source, now))
