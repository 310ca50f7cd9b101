"""Finds the identities of a former Official Account, by account and appid, in batches ordered by id."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import sqlalchemy as sa

from models.errors import StoreUnavailable
from models.tables.identities import followers as table
from service.bindings.former_appids import of_former_appids
from service.config.settings import Settings
from service.identities.repository import NAMES, Identities, Identity
from service.storage.database import Database

BATCH: Final = 100  # openids that WeChat takes in one call (wechat-protocol.md 8)
_IDS: Final = 10_000  # ids that are read at once: a search for each batch would sort what is left each time

_IT: Final = table.c


@dataclass(frozen=True, slots=True)
class Former:
    """The identities of one account, or of a former appid of it."""

    account: str
    appid: str
    """As stored; empty in rows from before it was stored."""

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        return sa.and_(_IT.account == self.account, _IT.appid == self.appid)

    async def batches(self, database: Database) -> AsyncIterator[Sequence[int]]:
        """Yield the ids of at most 100 identities at a time. Raises StoreUnavailable."""
        last = 0
        while ids := await database.read(partial(self._ids, after=last)):
            for start in range(0, len(ids), BATCH):
                yield ids[start : start + BATCH]
            last = ids[-1]

    def _ids(self, connection: sa.Connection, *, after: int) -> Sequence[int]:
        query = sa.select(_IT.id).where(self.condition, _IT.id > after).order_by(_IT.id).limit(_IDS)
        return connection.scalars(query).all()

    def read(
        self, connection: sa.Connection, ids: Sequence[int], identities: Identities
    ) -> tuple[list[Identity], list[int]]:
        """Return those of these ids that are still to be migrated, and the ids that no key decrypts."""
        query = sa.select(*NAMES).where(_IT.id.in_(ids), self.condition).order_by(_IT.id)
        read, unreadable = list[Identity](), list[int]()
        for row in connection.execute(query).mappings():
            try:
                read += [identity for identity in [identities.read(row)] if identity]
            except StoreUnavailable:
                unreadable.append(row[_IT.id])
        return read, unreadable


async def former(database: Database, settings: Settings, *, account: str, gh_id: str) -> list[Former]:
    """Return what an account took over: its own former appids, and other accounts with this original id.

    The appid of the newest identities comes first.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    conditions = [of_former_appids(account, settings.accounts[account].appid)]
    conditions += [
        _IT.account == name for name, one in settings.accounts.items() if name != account and one.gh_id == gh_id
    ]

    def work(connection: sa.Connection) -> list[Former]:
        found = list[tuple[int, Former]]()
        for condition in conditions:
            newest = sa.func.max(_IT.id)
            query = sa.select(newest, _IT.account, _IT.appid).where(condition).group_by(_IT.account, _IT.appid)
            found += [(number, Former(name, appid)) for number, name, appid in connection.execute(query)]
        return [one for _, one in sorted(found, key=lambda it: -it[0])]

    return await database.read(work)
