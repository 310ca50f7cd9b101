"""Limits audit entries that callers can repeat at will to two per kind and minute. Has no clock.

The first event of a kind in a minute is written at once. The number of further ones is written after the minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.audit import AuditEntry, AuditEvent

_MINUTE: Final = timedelta(minutes=1)
_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: Final = 100
"""Maximum number of kinds of one event with an entry of their own per minute; others are counted together."""
_MANY_KINDS: Final = 10_000
_KIND_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    # Caused by any visitor of a site. The ticket is left out, because callers can make one up.
    AuditEvent.EXCHANGE_REFUSED: ("client",),
    # Caused by any caller.
    AuditEvent.LIMIT_HIT: ("client", "account", "openid", "user_id", "detail"),
    # Caused by a person who scans one QR code repeatedly. A scan of another QR code is another kind: QR codes and
    # scans are rate limited, and operators look for scans.
    AuditEvent.SCANNED: ("client", "account", "ticket", "openid", "detail"),
    # Caused by a user, who can request any number of links from the site.
    AuditEvent.PORTAL_OPENED: ("client", "user_id"),
    # Caused by a site's back end, which may ask before each of its calls to WeChat.
    AuditEvent.TOKEN_GIVEN: ("client", "account"),
    AuditEvent.TOKEN_REPORTED: ("client", "account", "detail"),
    AuditEvent.TOKEN_REFUSED: ("client", "account"),
}
"""The columns in which two entries of one kind are equal.

Events that are not listed get an entry each: tickets of pages are rate limited (contract.md 1), a ticket ends once
and is exchanged once, and keys, exports and erasures are the operator's actions.
"""
_MOST: Final[Mapping[str, int]] = {AuditEvent.SCANNED: _MANY_KINDS, AuditEvent.PORTAL_OPENED: _MANY_KINDS}
"""Where KINDS would be too few for a busy service."""


@dataclass(slots=True)
class _Count:
    """The number of events of a kind after the first, and the time of the last."""

    last: datetime
    more: int = 0


class Repeats:
    """The counts of one minute: for each event at most `KINDS`, or as in `_MOST`, and one for the rest."""

    def __init__(self) -> None:
        self._minute: datetime | None = None
        self._counts: dict[AuditEntry, _Count] = {}
        self._kinds: dict[str, int] = {}

    @property
    def due(self) -> datetime | None:
        """The end of the minute that is being counted; None if nothing is counted."""
        return self._minute + _MINUTE if self._minute and self._counts else None

    def first(self, entry: AuditEntry) -> bool:
        """Return whether *entry* is to be written; otherwise it is counted. Call `ended` first."""
        columns = _KIND_COLUMNS.get(entry.event)
        if columns is None:
            return True
        self._minute = _minute_of(entry.at)
        kind = _kind(entry, columns)
        if count := self._counts.get(kind):
            count.more, count.last = count.more + 1, entry.at
            return False
        if self._kinds.get(entry.event, 0) < _MOST.get(entry.event, KINDS):
            self._kinds[entry.event] = self._kinds.get(entry.event, 0) + 1
            self._counts[kind] = _Count(entry.at)
            return True
        others = self._counts.setdefault(_kind(entry, ()), _Count(entry.at))
        others.more, others.last = others.more + 1, entry.at
        return False

    def ended(self, now: datetime) -> list[AuditEntry]:
        """Return the entries with the counts of a past minute, and reset them."""
        return [] if self._minute in (None, _minute_of(now)) else self.rest()

    def rest(self) -> list[AuditEntry]:
        """Return the entries with all counts so far, and reset them.

        They contain no openid or user id: a person erased within the minute would reappear in the audit log.
        """
        totals: dict[AuditEntry, _Count] = {}
        for kind, count in self._counts.items():
            if count.more:
                total = totals.setdefault(replace(kind, openid=None, user_id=None), _Count(count.last))
                total.more, total.last = total.more + count.more, max(total.last, count.last)
        self._minute, self._counts, self._kinds = None, {}, {}
        return [_more(kind, total) for kind, total in totals.items()]


def _minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _kind(entry: AuditEntry, columns: tuple[str, ...]) -> AuditEntry:
    """Return *entry* with only *columns* set. Without columns it stands for all kinds beyond the maximum."""
    return AuditEntry(_ANY_TIME, entry.event, **{name: getattr(entry, name) for name in columns})


def _more(kind: AuditEntry, count: _Count) -> AuditEntry:
    words = f"{count.more} more"
    return replace(kind, at=count.last, detail=f"{kind.detail}, {words}" if kind.detail else words)
