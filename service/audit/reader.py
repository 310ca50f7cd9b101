"""Reads the audit log for `scanbind audit`: one escaped line per entry, oldest first."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

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
_HISTORY_FIELDS: Final = {
    "at": "at",
    "change": "event",
    "client": "client",
    "account": "account",
    "user_id": "user_id",
    "door": "detail",
}
"""Columns of the binding history, and the fields of an audit entry that they become."""
_BARE: Final = re.compile(r"[^\s\"'=\\]+")


def since(text: str, *, now: datetime) -> datetime:
    """Parse `90s`, `30m`, `24h`, `7d`, or an ISO 8601 date or time (UTC unless it has an offset).

    Raises ValueError for anything else.
    """
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The entries to read; None matches any value."""

    since: datetime | None = None
    event: str | None = None
    client: str | None = None
    user_id: str | None = None
    openid: OpenId | None = None
    ticket: str | None = None


async def lines(settings: Settings, wanted: AuditFilter, *, limit: int, as_json: bool) -> list[str]:
    """Return the last *limit* matching entries, each as a line of JSON or of readable text.

    Raises:
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    async with open_database(settings, patient=True) as sql:
        found = await read(sql, Identities(reencryption.cipher(settings)), wanted, limit=limit)
    return [json.dumps(dict(_fields(entry))) if as_json else readable(entry) for entry in found]


async def read(sql: Database, identities: Identities, wanted: AuditFilter, *, limit: int) -> list[AuditEntry]:
    """Return the last *limit* matching entries, changes of bindings included.

    Raises:
        StoreUnavailable: the database does not answer.
    """

    def both(connection: sa.Connection) -> list[AuditEntry]:
        entries = _entries(connection, wanted, limit=limit)
        changes = _binding_changes(connection, identities, wanted, limit=limit)
        return sorted([*reversed(entries), *reversed(changes)], key=_sort_key)[-limit:]

    return await sql.read(both)


def readable(entry: AuditEntry) -> str:
    """Format *entry* as one line of text: time, event, and `name=value` for each field that is set."""
    (_, at), (_, event), *others = _fields(entry)
    return " ".join([at, event, *(f"{name}={_escaped(value)}" for name, value in others)])


def _fields(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    for name, value in asdict(entry).items():
        if isinstance(value, datetime):
            yield name, rfc3339(value, "milliseconds")
        elif value is not None:
            yield name, str(value)


def _sort_key(entry: AuditEntry) -> tuple[datetime, int]:
    """Sort by time and, within a millisecond, by event: an answer comes before its effect."""
    return entry.at, _ORDER.get(entry.event, len(_ORDER))


def _escaped(value: str) -> str:
    return value if value.isprintable() and _BARE.fullmatch(value) else json.dumps(value)


def _entries(connection: sa.Connection, wanted: AuditFilter, *, limit: int) -> list[AuditEntry]:
    asked = {
        audit.c.event: wanted.event,
        audit.c.client: wanted.client,
        audit.c.user_id: wanted.user_id,
        audit.c.openid: wanted.openid and shortened(wanted.openid),
        audit.c.ticket: wanted.ticket,
    }
    columns = [audit.c[name] for name in AuditEntry.__slots__]
    query = sa.select(*columns).where(*_where(asked, audit.c.at, wanted.since))
    rows = connection.execute(query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit))
    return [AuditEntry(*row) for row in rows]


def _binding_changes(
    connection: sa.Connection, identities: Identities, wanted: AuditFilter, *, limit: int
) -> list[AuditEntry]:
    """Read the binding history as audit entries, with the source of a change as `detail` and without ticket."""
    if wanted.ticket or wanted.event not in (None, *Change):
        return []
    asked = {
        history.c.change: wanted.event and Change(wanted.event),
        history.c.client: wanted.client,
        history.c.user_id: wanted.user_id,
    }
    query = (
        sa.select(*(history.c[name] for name in _HISTORY_FIELDS), *NAMES)
        .outerjoin_from(history, followers, followers.c.id == history.c.follower_id)
        .where(*_where(asked, history.c.at, wanted.since))
        .order_by(history.c.id.desc())
        .limit(limit)
    )
    if wanted.openid:
        query = query.where(identities.with_openid(wanted.openid))
    changes = []
    for row in connection.execute(query).mappings():
        person = identities.read(row)
        values = {field: row[history.c[name]] for name, field in _HISTORY_FIELDS.items()}
        changes.append(AuditEntry(**values, openid=shortened(person.openid) if person else None))
    return changes


def _where(
    asked: Mapping[sa.Column[Any], object], at: sa.Column[datetime], since: datetime | None
) -> list[sa.ColumnElement[bool]]:
    conditions = [column == value for column, value in asked.items() if value is not None]
    return [*conditions, at >= since] if since else conditions
