"""Opens the configured database and Redis, embedded or external."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis, RedisCluster

from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.storage import database, embedded_valkey, redis
from service.storage.database import Database

DatabaseCheck = Callable[[Database], Awaitable[None]]
"""Checks that a database can be used; raises StoreUnavailable or ConfigError."""
Embedded = Callable[[Path], AbstractAsyncContextManager[str]]
"""Yields the address of the Valkey in a data folder, which runs for the duration of the context."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The open database and Redis client."""

    database: Database
    redis: "Redis | RedisCluster"


@asynccontextmanager
async def open_database(
    settings: Settings,
    *,
    check: DatabaseCheck | None = Database.check_schema,
    patient: bool = False,
) -> AsyncIterator[Database]:
    """Open the database and *check* it. *patient* removes the statement timeout.

    Raises:
        ConfigError: raised by the check.
        StoreUnavailable: it cannot be opened, or raised by the check; the message begins with `database.url`.
    """
    async with AsyncExitStack() as stack:
        with database.naming_the_setting():
            opening = database.connect(settings.database.url, data_dir=settings.data_dir, patient=patient)
            opened = await stack.enter_async_context(opening)
            if check:
                await check(opened)
        yield opened


@asynccontextmanager
async def open_redis(
    settings: Settings,
    *,
    embedded: Embedded = embedded_valkey.valkey,
    connect: Callable[[str], AbstractAsyncContextManager["Redis | RedisCluster"]] = redis.connect,
) -> AsyncIterator["Redis | RedisCluster"]:
    """Yield a Redis client, which connects on first use. Starts the *embedded* Valkey if configured.

    Raises:
        ConfigError: there is no embedded Valkey for this machine, or its folder cannot be used.
        StoreUnavailable: the embedded Valkey does not start.
    """
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if url == EMBEDDED:
            url = await stack.enter_async_context(embedded(settings.data_dir))
        yield await stack.enter_async_context(connect(url))


@asynccontextmanager
async def open_stores(settings: Settings, *, check: DatabaseCheck) -> AsyncIterator[Stores]:
    """Open both stores, whether or not the service is running.

    Raises: as `open_database` and `open_redis`.
    """
    async with (
        open_database(settings, check=check) as sql,
        open_redis(settings, embedded=embedded_valkey.shared) as client,
    ):
        yield Stores(sql, client)
