"""Counts what callers can have recorded again and again, so that a flood is two lines a minute. Knows no clock.

The first event of a kind in a minute is a line at once; how many more there were is one line after that minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.audit import AuditEntry, AuditEvent

_MINUTE: Final = timedelta(minutes=1)
_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: Final = 100
"""Kinds of one event that have a line of their own in one minute; the others are counted together."""
_SCANS: Final = 10_000
_TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    # Any visitor of a site, with invented codes: the ticket in one is the caller's choice.
    AuditEvent.EXCHANGE_REFUSED: ("client",),
    # Any caller; of each who is over.
    AuditEvent.LIMIT_HIT: ("client", "account", "openid", "user_id", "detail"),
    # A person who scans the same code again, theirs or another's. Who scans another code is told each time:
    # codes and scans have limits, and a scan is what an operator looks for.
    AuditEvent.SCANNED: ("client", "account", "ticket", "openid", "detail"),
    # A user of a site, who can ask it for links without end.
    AuditEvent.PORTAL_OPENED: ("client", "user_id"),
}
"""Which columns make two lines of an event the same kind.

What is not here is an entry each: tickets are limited where pages start them (contract.md 1), each ends once and
one exchange, and keys, exports and erasures are the operator's.
"""
_MOST: Final[Mapping[str, int]] = {AuditEvent.SCANNED: _SCANS, AuditEvent.PORTAL_OPENED: _SCANS}
"""Where KINDS would be too few: what people do on a busy service is a line each."""


@dataclass(slots=True)
class _Count:
    """How many more of a kind there were after its line, and when the last was."""

    last: datetime
    more: int = 0


class Repeats:
    """The counts of one minute: at most `KINDS` and one for each event, but for scans and visits."""

    def __init__(self) -> None:
        self._minute: datetime | None = None
        self._counts: dict[AuditEntry, _Count] = {}
        self._kinds: dict[str, int] = {}

    @property
    def due(self) -> datetime | None:
        """When the minute that is being counted is over; None if nothing is counted."""
        return self._minute + _MINUTE if self._minute and self._counts else None

    def first(self, line: AuditEntry) -> bool:
        """Tell whether *line* is to be written; if not, it is counted. `ended` must have been asked before."""
        told_by = _TOLD_BY.get(line.event)
        if told_by is None:
            return True
        self._minute = _minute_of(line.at)
        kind = _kind(line, told_by)
        if count := self._counts.get(kind):
            count.more, count.last = count.more + 1, line.at
            return False
        if self._kinds.get(line.event, 0) < _MOST.get(line.event, KINDS):
            self._kinds[line.event] = self._kinds.get(line.event, 0) + 1
            self._counts[kind] = _Count(line.at)
            return True
        others = self._counts.setdefault(_kind(line, ()), _Count(line.at))
        others.more, others.last = others.more + 1, line.at
        return False

    def ended(self, now: datetime) -> list[AuditEntry]:
        """Return the lines that tell the counts of a minute before *now*, once."""
        return [] if self._minute in (None, _minute_of(now)) else self.rest()

    def rest(self) -> list[AuditEntry]:
        """Return the lines that tell all counts so far, once.

        They name no person: one who is erased within the minute would stand in the audit log afterwards.
        """
        told: dict[AuditEntry, _Count] = {}
        for kind, count in self._counts.items():
            if count.more:
                total = told.setdefault(replace(kind, openid=None, user_id=None), _Count(count.last))
                total.more, total.last = total.more + count.more, max(total.last, count.last)
        self._minute, self._counts, self._kinds = None, {}, {}
        return [_more(kind, total) for kind, total in told.items()]


def _minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _kind(line: AuditEntry, told_by: tuple[str, ...]) -> AuditEntry:
    """Return *line* without what differs within its kind; one that is told by nothing stands for all others."""
    return AuditEntry(_ANY_TIME, line.event, **{name: getattr(line, name) for name in told_by})


def _more(kind: AuditEntry, count: _Count) -> AuditEntry:
    words = f"{count.more} more"
    return replace(kind, at=count.last, detail=f"{kind.detail}, {words}" if kind.detail else words)
