"""Removes a binding that its holder undoes, and no later one (docs/adr/0040)."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from models.binding import Change, ChangeSource
from models.tables.bindings import bindings
from models.tables.identities import followers
from service.bindings.changes import changing
from service.bindings.rows import Row, remove_row, select_rows
from service.identities.repository import Identities
from service.storage.database import Database

_IT = bindings.c


@dataclass(slots=True)
class BindingUndo:
    """Finds and removes the binding that an identity got at one moment."""

    database: Database
    identities: Identities

    async def stands(self, client: str, follower: int, bound_at: datetime) -> bool:
        """Return whether there is such a binding."""
        query = sa.select(_IT.id).where(_this(client, follower, bound_at))
        return await self.database.read(lambda connection: connection.scalar(query)) is not None

    async def undo(self, client: str, follower: int, bound_at: datetime, *, now: datetime) -> bool:
        """Remove it, with the bindings of the person to the same user that were made since; False if it is gone.

        Those may be logins that relied on it. If the person was bound to that user before, the identity is not
        bound again through its person.
        """
        this = _this(client, follower, bound_at)

        def work(connection: sa.Connection) -> bool:
            # Locked before the others are read: a login that relies on it waits, or is committed and read.
            if connection.scalar(sa.select(_IT.id).where(this).with_for_update()) is None:
                return False
            (undone,) = select_rows(connection, this)
            beside = _beside(connection, undone)
            since = [it for it in beside if it.bound_at >= bound_at]
            with changing(connection, self.identities) as rows:
                for it in (undone, *since):
                    remove_row(
                        connection,
                        it,
                        Change.DISCONNECTED,
                        rows=rows,
                        source=ChangeSource.UNDO,
                        now=now,
                        alone=len(since) < len(beside),
                    )
            return True

        return await self.database.once(work)


def _this(client: str, follower: int, bound_at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_IT.client == client, _IT.follower_id == follower, _IT.bound_at == bound_at)


def _beside(connection: sa.Connection, it: Row) -> list[Row]:
    """Return the other bindings of the person to the same user."""
    if it.person is None:
        return []
    theirs = (_IT.client == it.client, _IT.user_id == it.user_id, _IT.follower_id != it.follower_id)
    return select_rows(connection, followers.c.person_id == it.person, *theirs)
