"""Opens the database and Redis as the settings name them: embedded in the data folder, or elsewhere."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.storage import database, embedded_valkey, redis
from service.storage.database import Database

DatabaseCheck = Callable[[Database], Awaitable[None]]
"""Returns if a database can be used; raises StoreUnavailable or ConfigError otherwise."""
Embedded = Callable[[Path], AbstractAsyncContextManager[str]]
"""Gives the address of the Valkey in a data folder for as long as the context lasts."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores of the service, open."""

    database: Database
    redis: "Redis | RedisCluster"


@asynccontextmanager
async def open_database(
    settings: Settings,
    *,
    check: DatabaseCheck | None = Database.check_schema,
    patient: bool = False,
    prefix: str = "",
) -> AsyncIterator[Database]:
    """Open the database and *check* it; *patient* waits for a statement as long as it takes.

    Raises:
        ConfigError: the check says so.
        StoreUnavailable: it cannot be opened, or the check says so; *prefix* comes before what is wrong.
    """
    async with AsyncExitStack() as stack:
        try:
            opening = database.connect(settings.database.url, data_dir=settings.data_dir, patient=patient)
            opened = await stack.enter_async_context(opening)
            if check:
                await check(opened)
        except StoreUnavailable as e:
            raise StoreUnavailable(f"{prefix}{e.detail}") from e
        yield opened


@asynccontextmanager
async def open_redis(
    settings: Settings,
    *,
    embedded: Embedded = embedded_valkey.valkey,
    connect: Callable[[str], AbstractAsyncContextManager["Redis | RedisCluster"]] = redis.connect,
) -> AsyncIterator["Redis | RedisCluster"]:
    """Give a client of Redis; nothing is connected before it is used, but the *embedded* one runs.

    Raises:
        ConfigError: there is no embedded Valkey for this machine, or its folder cannot be had.
        StoreUnavailable: the embedded Valkey does not start.
    """
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if url == EMBEDDED:
            url = await stack.enter_async_context(embedded(settings.data_dir))
        yield await stack.enter_async_context(connect(url))


@asynccontextmanager
async def open_stores(settings: Settings, *, check: DatabaseCheck) -> AsyncIterator[Stores]:
    """Open both stores, beside a service that runs or without one.

    Raises: as `open_database` and `open_redis`.
    """
    async with (
        open_database(settings, check=check) as sql,
        open_redis(settings, embedded=embedded_valkey.shared) as client,
    ):
        yield Stores(sql, client)
