"""Detects writes to the stores, by any process, without writing itself."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from redis import Redis

from service.pushes.last_pushes import Arrival

UNKNOWN: Final = "rows"
"""Reported for changed rows when the number of rows is the same."""
_ASKED: Final = "followers asked about"
_LATER: Final = frozenset({"audit", "commit_marks", _ASKED})
"""Written in the background: the audit log, which contains refusals too, and follower data from WeChat."""

_CHANGED: Final = """
    '0/' || (SELECT ifnull(sum(opened_at), 0) + ifnull(sum(ends_at), 0) FROM portal_sessions)
    || '/' || (SELECT ifnull(sum(code_used_at), 0) FROM endings)
    || '/' || (SELECT ifnull(sum(last_login_at), 0) FROM bindings)
"""
"""Sums that change with updates by requests, which `_LATER` must not hide."""


class Watch:
    """Detects every write, by SQLite's data_version and by Redis's count of changes."""

    def __init__(self, database: Path, redis: "Redis", *, accounts: Iterable[str]) -> None:
        self._noted = [f"scanbind:{arrival}:{account}" for account in accounts for arrival in Arrival]
        self._sql = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)
        self._redis = redis
        names = self._sql.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        tables = sorted(name for (name,) in names)
        counts = ", ".join(f"(SELECT count(*) || '/' || ifnull(max(rowid), 0) FROM {table})" for table in tables)
        asked = "(SELECT count(asked_at) || '/' || ifnull(sum(asked_at), 0) FROM followers)"
        self._tables, self._counting = [*tables, _ASKED, UNKNOWN], f"SELECT {counts}, {asked}, {_CHANGED}"
        self._seen = self._look()

    def close(self) -> None:
        """Close the database connection."""
        self._sql.close()

    def moved(self) -> dict[str, int]:
        """Return what was written since the last call: new rows by table, UNKNOWN for updates, `redis` writes."""
        before, self._seen = self._seen, self._look(self._seen)
        moved = {
            table: _rows(new) - _rows(old)
            for table, old, new in zip(self._tables, before["sizes"], self._seen["sizes"], strict=True)
            if old != new
        }
        if self._seen["version"] != before["version"] and not moved:
            moved[UNKNOWN] = 0
        elif moved.keys() - _LATER != {UNKNOWN}:
            moved.pop(UNKNOWN, None)  # a new row changes the sums as well
        noted = sum(new != old for new, old in zip(self._seen["noted"], before["noted"], strict=True))
        if writes := self._seen["writes"] - before["writes"] - noted:
            moved["redis"] = writes
        return {name: count for name, count in moved.items() if name not in _LATER}

    def _look(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        version, sizes = self._version(), before["sizes"] if before else None
        if before is None or before["version"] != version:
            sizes = self._sizes()
            while (later := self._version()) != version:  # the audit log is written in the background
                version, sizes = later, self._sizes()
        # In one transaction: when WeChat's last request came is written in the background, too.
        both: Any = self._redis.pipeline()
        noted, info = both.mget(self._noted).info("persistence").execute()
        return {
            "version": version,
            "sizes": sizes,
            "noted": noted,
            "writes": info["rdb_changes_since_last_save"],
        }

    def _version(self) -> int:
        with closing(self._sql.execute("PRAGMA data_version")) as cursor:
            return int(cursor.fetchone()[0])

    def _sizes(self) -> tuple[str, ...]:
        with closing(self._sql.execute(self._counting)) as cursor:
            return tuple(cursor.fetchone())


def _rows(size: str) -> int:
    return int(size.partition("/")[0])
