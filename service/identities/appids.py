"""Gives followers from before appids were stored the appid that their account has now (docs/adr/0023)."""

import asyncio
from typing import Final

import sqlalchemy as sa

from models.tables.identities import followers
from service.identities.repository import UNKNOWN
from service.storage.database import Database

_BATCH: Final = 500  # rows per transaction

_IT: Final = followers.c


async def store(database: Database, account: str, appid: str) -> int:
    """Store *appid* with the account's followers that have none; return how many.

    Leaves half of the time to other writers.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    unknown = sa.and_(_IT.account == account, _IT.appid == UNKNOWN)
    twin = followers.alias()  # of two processes that added the same person at once, one of the version before
    known = sa.exists().where(twin.c.account == account, twin.c.appid == appid, twin.c.openid == _IT.openid)
    query = sa.select(_IT.id).where(unknown, ~known).limit(_BATCH)

    def work(connection: sa.Connection) -> int:
        ids = connection.scalars(query).all()
        if ids:
            connection.execute(sa.update(followers).where(_IT.id.in_(ids), unknown).values(appid=appid))
        return len(ids)

    clock, stored = asyncio.get_running_loop().time, 0
    while True:
        began = clock()
        stored += (done := await database.attempt(work))
        if done < _BATCH:
            return stored
        await asyncio.sleep(clock() - began)
