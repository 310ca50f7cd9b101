"""What the doctor says about a real Valkey that an operator configured wrongly.

Red when one of these faults is not found, or when a Valkey without fault is warned of.

Covers: service.doctor.redis_servers, service.doctor.clocks.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from serving import port_of_a_process
from tmpfs import tmpfs
from valkeys import a_valkey

from service.config.settings import Settings, validate
from service.doctor.finding import Finding
from service.doctor.redis import check_redis
from service.doctor.redis_servers import read_servers, server_findings

Options = dict[str, str]


def configured(url: str) -> Settings:
    return validate({"redis": {"url": url}, "secret_key": "k" * 32})


async def faults(url: str) -> list[Finding]:
    findings = [finding async for finding in check_redis(configured(url))]
    assert findings[0].ok, "it answers"
    return [finding for finding in findings if not finding.ok]


async def fault(url: str) -> str:
    """Return the one fault, as it is printed."""
    [found] = await faults(url)
    return str(found)


async def test_a_good_valkey_has_no_fault(tmp_path: Path) -> None:
    async with a_valkey(tmp_path, maxmemory="1gb") as url:
        assert await faults(url) == []


@pytest.mark.parametrize(
    ("options", "told", "remedy"),
    [
        (
            {"maxmemory_policy": "allkeys-lru", "maxmemory": "1gb"},
            "warning  redis: maxmemory-policy is allkeys-lru: tickets may be evicted when memory is full",
            "set maxmemory-policy to noeviction",
        ),
        (
            {"maxmemory_policy": "volatile-ttl"},
            "warning  redis: maxmemory-policy is volatile-ttl: tickets may be evicted once a maxmemory is set",
            "set maxmemory-policy to noeviction",
        ),
        (
            {"appendonly": "no"},
            "warning  redis: appendonly is off: scans in progress are lost when it restarts",
            "set appendonly to yes",
        ),
        (
            {"appendonly": "no", "save": "3600 1"},
            "warning  redis: appendonly is off: what it wrote after its last snapshot is lost when it restarts",
            "set appendonly to yes",
        ),
        (
            {"appendfsync": "no"},
            "warning  redis: appendfsync is no: what was written in half a minute may be lost in a power failure",
            "set appendfsync to everysec",
        ),
        (
            {"cluster_enabled": "yes"},
            "failed   redis: is a node of a cluster, and redis.url is the address of a single server",
            "set redis.url to redis+cluster://HOST:PORT,HOST:PORT",
        ),
    ],
    ids=["eviction", "eviction without a limit", "no persistence", "snapshots", "no fsync", "cluster node"],
)
async def test_a_wrong_setting_is_found(options: Options, told: str, remedy: str, tmp_path: Path) -> None:
    async with a_valkey(tmp_path, **options) as url:
        assert await fault(url) == f"{told}\n         remedy: {remedy}"


async def test_a_memory_that_is_nearly_full_is_found(tmp_path: Path) -> None:
    async with a_valkey(tmp_path) as url, Redis.from_url(url) as client:
        used = int((await client.info())["used_memory"])
        await client.config_set("maxmemory", int(used * 1.04))
        assert "% of its maxmemory; when it is full, every new login is refused" in await fault(url)


async def test_a_replica_is_no_store(tmp_path: Path) -> None:
    async with a_valkey(tmp_path / "one") as primary, a_valkey(tmp_path / "two") as replica:
        port = primary.rpartition(":")[2]
        async with Redis.from_url(replica) as client:
            await client.replicaof("127.0.0.1", port)
        told = await fault(replica)
    assert told.startswith(f"failed   redis: is a replica of 127.0.0.1:{port}, which takes no writes\n")
    assert "remedy: set redis.url to the primary" in told


async def test_a_cluster_without_all_slots_does_not_work(tmp_path: Path) -> None:
    port = port_of_a_process()
    async with a_valkey(tmp_path, port=port, cluster_enabled="yes") as url, Redis.from_url(url) as client:
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 100)
        [told] = [str(one) async for one in check_redis(configured(f"redis+cluster://127.0.0.1:{port}"))]
    assert told.startswith("failed   redis: does not answer: All slots are not covered")


async def test_each_node_of_a_cluster_is_examined(tmp_path: Path) -> None:
    port = port_of_a_process()
    options = {"cluster_enabled": "yes", "appendonly": "no"}
    async with a_valkey(tmp_path, port=port, **options) as url, Redis.from_url(url) as client:
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(20):
            while b"cluster_state:ok" not in await client.execute_command("CLUSTER", "INFO"):
                await asyncio.sleep(0.05)
        assert (await fault(f"redis+cluster://127.0.0.1:{port}")).startswith(
            f"warning  redis 127.0.0.1:{port}: appendonly is off: scans in progress are lost when it restarts"
        )


async def test_a_snapshot_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with a_valkey(folder, save="3600 100", dbfilename="dump.rdb") as url, Redis.from_url(url) as client:
        shutil.rmtree(folder)
        await client.bgsave()
        async with asyncio.timeout(20):
            while (await client.info())["rdb_last_bgsave_status"] == "ok":
                await asyncio.sleep(0.05)
        assert "it could not write its last snapshot, and may refuse every write" in await fault(url)


async def test_a_full_disk_is_found_by_the_append_only_file(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", megabytes=4) as folder:
        async with a_valkey(folder, appendfsync="everysec") as url, Redis.from_url(url) as client:
            async with asyncio.timeout(20):
                while (await client.info())["aof_last_write_status"] == "ok":
                    await _written(client)
            assert "it cannot write its append-only file, so it refuses every write" in await fault(url)


async def _written(client: Redis) -> None:
    try:
        await client.set("filling", "x" * 1_000_000)
    except ResponseError:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"redis_version": "5.0.14", "valkey_version": None}, "is too old"),
        ({"cluster_state": "fail"}, "its cluster does not work: cluster_state is fail"),
        ({"clock_off": 45.0}, "its clock is 45 s behind this machine's"),
        ({"clock_off": -45.0}, "its clock is 45 s ahead of this machine's"),
    ],
    ids=["version", "cluster", "clock behind", "clock ahead"],
)
async def test_what_no_valkey_of_this_machine_can_have_is_found_in_its_facts(
    changed: dict[str, Any], told: str, redis: Redis
) -> None:
    [facts] = (await read_servers(redis)).values()
    [found] = [one for one in server_findings("", {**facts, **changed}, clustered=False) if not one.ok]
    assert told in found.message, found
