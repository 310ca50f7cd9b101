"""Lists, removes and purges bindings and their history. To bind and to log in is decided in rules.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.binding import Binding, Change, ChangeSource, UserId
from models.events import OpenId
from models.tables.bindings import bindings, history
from models.tables.identities import followers
from service.bindings.changes import changing
from service.bindings.rows import COLUMNS, Changes, read_row, remove_row, select_rows, shown
from service.identities.repository import NAMES, Identities
from service.storage.database import Database
from service.storage.purge import purge


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the history: a change of a binding, and its source."""

    account: str
    user_id: UserId
    openid: OpenId | None
    """None once the person was erased."""
    change: Change
    source: ChangeSource
    at: datetime


_ROUNDS: Final = 8
_ENTRY: Final = {
    name: history.c["door" if name == "source" else name] for name in Entry.__slots__ if name != "openid"
}


def erase(
    connection: sa.Connection,
    whose: sa.ColumnElement[bool],
    *,
    rows: Changes,
    source: ChangeSource,
    now: datetime,
) -> int:
    """Remove the bindings that *whose* selects, for an erasure; return how many."""
    found = select_rows(connection, whose, erased=True)
    return sum([remove_row(connection, it, Change.ERASED, rows=rows, source=source, now=now) for it in found])


@dataclass(slots=True)
class Bindings:
    """Lists and removes bindings for a site's back end."""

    database: Database
    identities: Identities

    async def of_user(self, client: str, user_id: UserId) -> list[Binding]:
        """Return a user's bindings, ordered by account."""
        query = (
            sa.select(*COLUMNS, *NAMES)
            .join_from(bindings, followers, followers.c.id == bindings.c.follower_id)
            .where(bindings.c.client == client, bindings.c.user_id == user_id)
            .order_by(bindings.c.account)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [shown(read_row(row), person) for row in rows if (person := self.identities.read(row))]

    async def disconnect(
        self,
        client: str,
        user_id: UserId,
        *,
        account: str | None = None,
        source: ChangeSource = ChangeSource.SITE,
        now: datetime,
    ) -> int:
        """Remove a user's bindings, or the one in *account* alone; return how many.

        One that was removed alone is not bound again through its person.
        """
        theirs = [bindings.c.client == client, bindings.c.user_id == user_id]
        theirs += [] if account is None else [bindings.c.account == account]
        how: dict[str, Any] = {"source": source, "now": now, "alone": account is not None}

        def work(connection: sa.Connection) -> int:
            removed = 0
            with changing(connection, self.identities) as rows:
                for _ in range(_ROUNDS):
                    # Again: while this waited for a row, a login may have added one that relies on it.
                    if not (found := select_rows(connection, *theirs)):
                        break
                    removed += sum(
                        [remove_row(connection, it, Change.DISCONNECTED, rows=rows, **how) for it in found]
                    )
            return removed

        return await self.database.once(work)

    async def history(self, client: str, user_id: UserId, *, limit: int = 100) -> list[Entry]:
        """Return the last *limit* changes of a user's bindings, newest first."""
        query = (
            sa.select(*_ENTRY.values(), *NAMES)
            .outerjoin_from(history, followers, followers.c.id == history.c.follower_id)
            .where(history.c.client == client, history.c.user_id == user_id)
            .order_by(history.c.id.desc())
            .limit(limit)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [self._entry(row) for row in rows]

    async def purge(self, before: datetime) -> int:
        """Delete entries of the history older than *before*; return how many."""
        return await purge(self.database, history.c.id, before, when=history.c.at)

    def _entry(self, row: RowMapping) -> Entry:
        person = self.identities.read(row)
        kept = {name: row[column] for name, column in _ENTRY.items()}
        return Entry(openid=person.openid if person else None, **kept)
