"""Checks Redis: that it answers, its servers, the day's QR codes and the last pushes that it keeps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from redis.asyncio import Redis, RedisCluster

from service.config.settings import Settings
from service.doctor.codes import codes
from service.doctor.finding import Finding
from service.doctor.last_pushes import last_pushes
from service.doctor.redis_servers import read_servers, server_findings
from service.storage.embedded_valkey import FolderInUseError
from service.storage.reasons import redis_reason
from service.storage.redis import FAILURES, connect
from service.storage.stores import open_redis


async def check_redis(settings: Settings) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(open_redis(settings))
        except FolderInUseError as in_use:
            yield Finding(True, "redis", "embedded, in use by a running scanbind")
            client = await stack.enter_async_context(connect(in_use.url))
        async for finding in _examined(settings, client):
            yield finding


async def _examined(settings: Settings, client: "Redis | RedisCluster") -> AsyncIterator[Finding]:
    try:
        servers = await read_servers(client)
    except FAILURES as error:
        remedy = "start it, or correct redis.url"
        yield Finding(False, "redis", f"does not answer: {redis_reason(error)}", remedy)
        return
    for place, facts in servers.items():
        for finding in server_findings(place, facts, clustered=isinstance(client, RedisCluster)):
            yield finding
    async for finding in codes(settings, client):
        yield finding
    async for finding in last_pushes(settings, client):
        yield finding
