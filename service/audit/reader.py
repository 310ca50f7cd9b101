"""Reads the record for `scanbind audit`: a line each, oldest first. What is printed is escaped."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.audit import AuditEntry, AuditEvent
from models.binding import Change
from models.events import OpenId, shortened
from models.tables.audit import audit
from models.tables.bindings import history
from models.tables.identities import followers
from models.timestamps import rfc3339
from service.config.settings import Settings
from service.identities import reencryption
from service.identities.repository import NAMES, Identities
from service.storage.database import Database
from service.storage.stores import open_database

_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ORDER: Final[dict[str, int]] = {event: place for place, event in enumerate(AuditEvent)}
_OF_BINDING: Final = {
    "at": "at",
    "change": "event",
    "client": "client",
    "account": "account",
    "user_id": "user_id",
    "door": "detail",
}
"""What stands in the history, and what it is called in the record."""
_BARE: Final = re.compile(r"[^\s\"'=\\]+")


def since(text: str, *, now: datetime) -> datetime:
    """Read `90s`, `30m`, `24h`, `7d`, or a date or time as ISO 8601 writes it (UTC unless it says otherwise).

    Raises ValueError for anything else.
    """
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines are asked for; None is any."""

    since: datetime | None = None
    event: str | None = None
    client: str | None = None
    user_id: str | None = None
    openid: OpenId | None = None
    ticket: str | None = None


async def lines(settings: Settings, wanted: AuditFilter, *, limit: int, as_json: bool) -> list[str]:
    """Return the last *limit* lines of the record that are *wanted*, as JSON or to be read.

    Raises:
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    async with open_database(settings, patient=True) as sql:
        found = await read(sql, Identities(reencryption.cipher(settings)), wanted, limit=limit)
    return [json.dumps(dict(_fields(line))) if as_json else readable(line) for line in found]


async def read(sql: Database, identities: Identities, wanted: AuditFilter, *, limit: int) -> list[AuditEntry]:
    """Return the last *limit* lines that are *wanted*; what happened to bindings is among them.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    async with sql.read() as connection:
        recorded = await _recorded(connection, wanted, limit=limit)
        bindings = await _of_bindings(connection, identities, wanted, limit=limit)
    return sorted([*reversed(recorded), *reversed(bindings)], key=_place)[-limit:]


def readable(line: AuditEntry) -> str:
    """Return a line of the record as one line of a terminal: time, event, and `name=value` for what is known."""
    (_, at), (_, event), *others = _fields(line)
    return " ".join([at, event, *(f"{name}={_escaped(value)}" for name, value in others)])


def _fields(line: AuditEntry) -> Iterator[tuple[str, str]]:
    for name, value in asdict(line).items():
        if isinstance(value, datetime):
            yield name, rfc3339(value, "milliseconds")
        elif value is not None:
            yield name, str(value)


def _place(line: AuditEntry) -> tuple[datetime, int]:
    """Return what lines are sorted by: in one millisecond an answer stands before its effect."""
    return line.at, _ORDER.get(line.event, len(_ORDER))


def _escaped(value: str) -> str:
    return value if value.isprintable() and _BARE.fullmatch(value) else json.dumps(value)


async def _recorded(connection: AsyncConnection, wanted: AuditFilter, *, limit: int) -> list[AuditEntry]:
    asked = {
        audit.c.event: wanted.event,
        audit.c.client: wanted.client,
        audit.c.user_id: wanted.user_id,
        audit.c.openid: wanted.openid and shortened(wanted.openid),
        audit.c.ticket: wanted.ticket,
    }
    columns = [audit.c[name] for name in AuditEntry.__slots__]
    query = sa.select(*columns).where(*_where(asked, audit.c.at, wanted.since))
    rows = await connection.execute(query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit))
    return [AuditEntry(*row) for row in rows]


async def _of_bindings(
    connection: AsyncConnection, identities: Identities, wanted: AuditFilter, *, limit: int
) -> list[AuditEntry]:
    """Read the history of bindings as lines of the record: the door is their detail, and they name no ticket."""
    if wanted.ticket or wanted.event not in (None, *Change):
        return []
    asked = {
        history.c.change: wanted.event and Change(wanted.event),
        history.c.client: wanted.client,
        history.c.user_id: wanted.user_id,
    }
    query = (
        sa.select(*(history.c[name] for name in _OF_BINDING), *NAMES)
        .outerjoin_from(history, followers, followers.c.id == history.c.follower_id)
        .where(*_where(asked, history.c.at, wanted.since))
        .order_by(history.c.id.desc())
        .limit(limit)
    )
    if wanted.openid:
        query = query.where(identities.with_openid(wanted.openid))
    lines = []
    for row in (await connection.execute(query)).mappings():
        person = identities.read(row)
        values = {field: row[history.c[name]] for name, field in _OF_BINDING.items()}
        lines.append(AuditEntry(**values, openid=shortened(person.openid) if person else None))
    return lines


def _where(
    asked: Mapping[sa.Column[Any], object], at: sa.Column[datetime], since: datetime | None
) -> list[sa.ColumnElement[bool]]:
    conditions = [column == value for column, value in asked.items() if value is not None]
    return [*conditions, at >= since] if since else conditions
