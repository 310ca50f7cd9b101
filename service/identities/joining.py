"""Joins followers whose unionid was stored before persons were, or under another Open Platform account."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from models.errors import StoreUnavailable
from models.tables.identities import followers as table
from service.identities.followers import Followers
from service.identities.repository import hold

_BATCH: Final = 10  # rows per transaction, which logins may wait for

_IT: Final = table.c


async def join_all(followers: Followers, whose: sa.ColumnElement[bool], open_platform: str) -> int:
    """Join the followers that *whose* selects if their unionid was not joined there; return how many.

    Leaves half of the time to other writers. A row that none of the keys decrypts is left out.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    clock, joined, last = asyncio.get_running_loop().time, 0, 0
    elsewhere = sa.or_(_IT.open_platform.is_(None), _IT.open_platform != open_platform)
    apart = sa.and_(whose, _IT.unionid.is_not(None), elsewhere)
    while True:
        query = sa.select(_IT.id).where(apart, _IT.id > last).order_by(_IT.id).limit(_BATCH)
        ids = await followers.database.read(partial(_ids, query=query))
        if not ids:
            return joined
        began, last = clock(), ids[-1]
        joined += await followers.database.attempt(partial(_join, followers=followers, ids=ids))
        await asyncio.sleep(clock() - began)


def _ids(connection: sa.Connection, *, query: sa.Select[Any]) -> Sequence[int]:
    return connection.scalars(query).all()


def _join(connection: sa.Connection, *, followers: Followers, ids: Sequence[int]) -> int:
    joined = 0
    hold(connection, ids)
    for number in ids:
        with suppress(StoreUnavailable):
            for identity in followers.identities.select(connection, _IT.id == number):
                followers.join(connection, identity)
                joined += 1
    return joined
