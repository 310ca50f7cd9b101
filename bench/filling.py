"""Fills a database as if many people had bound before, each with a row of history and an audit entry."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench.processes import SITE
from bench.wechat import ACCOUNT
from models.binding import Change, ChangeSource
from models.tables.audit import audit
from models.tables.bindings import bindings, history
from models.tables.identities import followers

_RANDOM: Final[Mapping[str, sa.ColumnElement[str]]] = {
    "sqlite": sa.func.lower(sa.func.hex(sa.func.randomblob(14))),
    "postgresql": sa.func.substr(sa.func.md5(sa.cast(sa.func.random(), sa.String)), 1, 28),
}
"""A random text of 28 characters, as long as an openid."""
# A gigabyte of cache, because the usual one holds a fraction of the random keys; nothing needs to survive a crash.
_HURRY: Final = ("PRAGMA cache_size = -1000000", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")


async def fill(url: str, count: int) -> None:
    """Add *count* bindings to the migrated database at *url*, SQLite or PostgreSQL."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                for pragma in _HURRY:
                    await connection.execute(sa.text(pragma))
            await _fill(connection, count, random=_RANDOM[engine.dialect.name])
            await connection.execute(sa.text("ANALYZE"))
            await connection.commit()
    finally:
        await engine.dispose()


async def _fill(connection: AsyncConnection, count: int, *, random: sa.ColumnElement[str]) -> None:
    at = datetime.now(UTC) - timedelta(days=1)
    numbers = sa.select(sa.literal(1).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.number + 1).where(numbers.c.number < count))
    person = {"account": "main", "appid": ACCOUNT.appid, "openid": random, "subscribed": True}
    await _insert(connection, followers, person | {"asked_at": at, "followed_at": at}, source=numbers)
    user = "earlier-" + sa.cast(followers.c.id, sa.String)
    whose = {"client": SITE, "account": "main", "user_id": user}
    binding = whose | {"follower_id": followers.c.id}
    await _insert(connection, bindings, binding | {"bound_at": at}, source=followers)
    change = {"change": Change.BOUND, "door": ChangeSource.TICKET, "at": at}
    await _insert(connection, history, binding | change, source=followers)
    entry = {"event": Change.BOUND.value, "ticket": random, "openid": random, "detail": "ticket", "at": at}
    await _insert(connection, audit, whose | entry, source=followers)


async def _insert(
    connection: AsyncConnection, table: sa.Table, values: Mapping[str, Any], *, source: sa.FromClause
) -> None:
    """Insert a row with *values*, constants or expressions, for each row of *source*."""
    columns = [
        value if isinstance(value, sa.ColumnElement) else sa.literal(value, table.c[name].type)
        for name, value in values.items()
    ]
    rows = sa.select(*columns).select_from(source)
    for index in table.indexes:  # sorting them once takes a fraction of the time of a million insertions
        await connection.run_sync(index.drop)
    await connection.execute(sa.insert(table).from_select(list(values), rows))
    for index in table.indexes:
        await connection.run_sync(index.create)
