"""Readiness tries what the service needs: a store that takes no writes is reported as down."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import World
from harness import world as make_world
from redis.asyncio import Redis
from serving import serving, wechat
from tmpfs import tmpfs

from service.server import readiness
from service.storage.database import Database
from service.storage.embedded_valkey import valkey


async def until_down(world: World, *down: str) -> None:
    """Ask until exactly these dependencies are down, none for ready; for ten seconds at most."""
    async with asyncio.timeout(10):
        while True:
            response = await world.call("GET", "/readyz")
            checks = (await response.json())["checks"]
            if sorted(name for name, state in checks.items() if state == "down") == sorted(down):
                assert response.status == (503 if down else 200)
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[tuple[World, Redis]]:
    """A world with a Valkey that a test may spoil."""
    async with (
        valkey(tmp_path) as url,
        make_world(url, tmp_path) as world,
        Redis.from_url(url, decode_responses=True) as redis,
    ):
        yield world, redis


async def test_a_redis_without_memory_is_down_until_it_has_some(own_redis: tuple[World, Redis]) -> None:
    """Red when the check is a PING, which a full Redis answers."""
    world, redis = own_redis
    await until_down(world)
    await redis.config_set("maxmemory", 1)
    await until_down(world, "redis")
    assert await redis.ping()
    await redis.config_set("maxmemory", 0)
    await until_down(world)


async def test_a_redis_that_became_a_replica_is_down_until_it_is_none(own_redis: tuple[World, Redis]) -> None:
    """Red when the check is a PING, which a replica answers."""
    world, redis = own_redis
    await until_down(world)
    await redis.replicaof("127.0.0.1", "1")
    await until_down(world, "redis")
    await redis.replicaof("NO", "ONE")
    await until_down(world)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, two megabytes large."""
    with tmpfs(tmp_path / "disk", megabytes=2) as folder:
        yield folder


@pytest.mark.usefixtures("redis")
async def test_an_embedded_database_on_a_full_disk_is_down_until_there_is_room(redis_url: str, disk: Path) -> None:
    """Red when the check only reads, or rolls back what it writes: nothing of that reaches the disk."""
    async with make_world(redis_url, disk) as world:
        await until_down(world)
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        await until_down(world, "database")
        assert (await world.call("GET", "/livez")).status == 200
        (disk / "filler").unlink()
        await until_down(world)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
async def test_an_embedded_database_whose_files_may_not_grow_is_down_until_they_may(tmp_path: Path) -> None:
    """Red when the check only reads. Needs no root, where the test of a full disk does."""
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        pid, wal = service.process.pid, tmp_path / "var" / "scanbind.sqlite3-wal"
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, before[1]))
        async with asyncio.timeout(10):
            while True:
                async with http.get(f"{service.url}/readyz") as response:
                    if response.status == 503:
                        assert (await response.json())["checks"] == {
                            "redis": "ok",
                            "database": "down",
                            "background": "ok",
                        }
                        break
                await asyncio.sleep(0.05)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        await service.ready(http)


async def test_many_who_ask_at_once_cost_one_write(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `SharedCheck` runs its check for each who asks: a poll by a stranger would keep stores writing."""
    monkeypatch.setattr(readiness, "_FRESH", 60)
    writes = 0

    async def counted(database: Database) -> None:
        nonlocal writes
        writes += 1
        await readiness.database_takes_writes(database)

    monkeypatch.setattr("service.server.app.database_takes_writes", counted)
    world: World = await make()
    for _ in range(2):
        answers = await asyncio.gather(*(world.call("GET", "/readyz") for _ in range(20)))
        assert {answer.status for answer in answers} == {200}
    assert writes == 1


async def test_a_failure_is_shared_like_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        raise OSError

    monkeypatch.setattr(readiness, "_FRESH", 60)
    shared = readiness.SharedCheck("redis", fail)
    assert all(await asyncio.gather(*(shared() for _ in range(5)), return_exceptions=True))
    assert runs == 1


async def test_a_check_that_its_asker_gave_up_is_a_failure_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when a cancelled check leaves the outcome of the one before."""
    monkeypatch.setattr(readiness, "_FRESH", 60)
    hangs = False

    async def check() -> None:
        if hangs:
            await asyncio.Event().wait()

    shared = readiness.SharedCheck("redis", check)
    await shared()
    hangs, shared._until = True, 0.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await shared()
    with pytest.raises(RuntimeError):
        await shared()
