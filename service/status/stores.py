"""Reads the state of the stores and changes nothing: no store is started, created or migrated."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from redis.asyncio import Redis, RedisCluster

import migrations
from models.outbox import NOTICES, State
from models.tables.outbox import outbox
from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.pushes.last_pushes import LastPushes
from service.rate_limiting.qr_quota import QrQuota
from service.status.report import AccountState, DatabaseState, RedisState
from service.storage import embedded_valkey
from service.storage.database import inspected
from service.storage.redis import connect, redis_errors

_PENDING: Final = (
    sa.select(outbox.c.state, sa.func.count())
    .where(outbox.c.state.in_((State.PENDING, State.DEAD)), ~outbox.c.target.startswith(NOTICES, autoescape=True))
    .group_by(outbox.c.state)
)


async def read_redis(settings: Settings, *, now: datetime) -> RedisState:
    """Return the state of Redis, and what it knows of each account.

    Raises:
        StoreUnavailable: it does not answer.
    """
    url = settings.redis.url
    async with connect(embedded_valkey.address(settings.data_dir) if url == EMBEDDED else url) as redis:
        with redis_errors():
            info = await redis.info("server")
            began = time.perf_counter()
            await redis.ping()
        took = time.perf_counter() - began
        accounts = await _accounts(settings, redis, now=now)
        return RedisState(product=_product(info), milliseconds=_milliseconds(took), accounts=accounts)


async def read_database(settings: Settings) -> DatabaseState:
    """Return the state of the database.

    Raises:
        StoreUnavailable: it does not answer.
    """
    async with inspected(settings) as database:
        schema, product = await database.read(
            lambda connection: (migrations.current(connection), _server(connection))
        )
        began = time.perf_counter()
        await database.ping()
        took, needed = time.perf_counter() - began, migrations.head()
        counts = await database.read(_webhooks) if schema == needed else None
    return DatabaseState(
        product=product, milliseconds=_milliseconds(took), schema=schema, schema_needed=needed, webhooks=counts
    )


async def _accounts(
    settings: Settings, redis: "Redis | RedisCluster", *, now: datetime
) -> dict[str, AccountState]:
    pushed = await LastPushes(redis).read(settings.accounts)
    quota = QrQuota(redis, accounts=settings.accounts, clock=lambda: now)
    return {
        name: AccountState(
            last_push=pushed[name],
            codes_today=await quota.used(name) if account.api else None,
            codes_per_day=account.codes_per_day,
            codes_ended=account.api and await quota.has_ended(name),
        )
        for name, account in settings.accounts.items()
    }


def _product(info: Mapping[str, Any]) -> str:
    """Return name and version from the INFO of a server; of a cluster, of its first node."""
    first = next(iter(info.values()), None)
    facts = first if isinstance(first, dict) and "redis_version" in first else info
    return f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"


def _server(connection: sa.Connection) -> str:
    dialect = connection.dialect
    numbers = (str(part) for part in dialect.server_version_info or () if isinstance(part, int))
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    return f"{_NAMES.get(name, name)} {'.'.join(numbers)}".strip()


_NAMES: Final = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite"}


def _webhooks(connection: sa.Connection) -> dict[str, int]:
    counts = dict.fromkeys((State.PENDING, State.DEAD), 0)
    return {state.value: count for state, count in (counts | dict(connection.execute(_PENDING).all())).items()}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
