"""What `scanbind status` finds, with the service running, stopped and without its stores, each within its time."""

import asyncio
import json
import signal
import time
from pathlib import Path

from aiohttp import ClientSession
from config_files import tree
from freezing import frozen, postgresql_pids, valkey_pid
from harness import World
from serving import serving, wechat

from service.config.settings import Settings, load
from service.status.examine import PATIENCE, examine
from service.status.report import DatabaseState, Down, ProcessState, RedisState
from service.storage import embedded_valkey
from service.storage.database import Database
from service.version import VERSION


def of(folder: Path) -> Settings:
    return load(folder / "config.yaml", {})


async def test_a_running_service_is_well_and_tells_of_itself(tmp_path: Path) -> None:
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        address, bearer, tag = await service.login(http)
        waiting = asyncio.create_task(
            http.get(address, headers={**bearer, "If-None-Match": tag, "Prefer": "wait=30"})
        )
        stream = await http.get(f"{address}/events", headers=bearer)
        async with asyncio.timeout(30):
            while b"scanbind_waiting 2.0" not in await (await http.get(f"{service.url}/metrics")).read():
                await asyncio.sleep(0.02)
        report = await examine(of(tmp_path))
        assert report.faults == ()
        [process] = report.processes
        assert isinstance(process, ProcessState)
        assert (process.pid, process.version) == (service.process.pid, VERSION)
        assert process.waiting == {"streams": 1, "polls": 1}
        assert process.started_at <= process.loaded_at <= report.at
        assert isinstance(report.redis, RedisState)
        assert report.redis.accounts["main"].codes_today == 1
        assert isinstance(report.database, DatabaseState)
        stream.close()
        waiting.cancel()


async def test_a_reload_is_told_by_its_time(tmp_path: Path) -> None:
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        service.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(30):
            while True:
                [process] = (await examine(of(tmp_path))).processes
                assert isinstance(process, ProcessState)
                if process.loaded_at > process.started_at:
                    return


async def test_a_stopped_service_is_told_without_starting_anything(tmp_path: Path) -> None:
    """Red when the status starts the embedded Valkey, as the doctor does."""
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
    report = await examine(of(tmp_path))
    assert report.processes == []
    assert report.faults == ("no process is running", "redis does not answer")
    assert isinstance(report.database, DatabaseState)


async def test_a_killed_process_is_no_process(tmp_path: Path) -> None:
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        service.process.kill()
        await service.process.wait()
        report = await examine(of(tmp_path))
        async with embedded_valkey.stopped(tmp_path / "var"):  # the one that the killed process left
            pass
    assert report.processes == []
    assert "no process is running" in report.faults


async def test_a_process_and_a_redis_that_hang_are_told_within_the_time(tmp_path: Path) -> None:
    """Red when a part waits for its client's own timeouts."""
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        with frozen([service.process.pid, valkey_pid(tmp_path / "var")]):
            began = time.monotonic()
            report = await examine(of(tmp_path))
            assert time.monotonic() - began < PATIENCE + 1
    assert report.faults == ("a process does not answer", "redis does not answer")
    assert report.processes == [Down("no answer")], "one that hangs, among others that may answer"
    assert isinstance(report.redis, Down)


async def test_a_database_that_hangs_is_told_within_the_time(
    world: World, postgres: Database, postgresql: str
) -> None:
    settings = world.settings.model_copy(
        update={"database": world.settings.database.model_copy(update={"url": postgresql})}
    )
    with frozen(await postgresql_pids(postgres)):
        began = time.monotonic()
        report = await examine(settings)
        assert time.monotonic() - began < PATIENCE + 1
    assert isinstance(report.database, Down)
    assert isinstance(report.redis, RedisState)


async def test_a_folder_that_cannot_be_looked_at_is_a_fault_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(tree(data_dir=str(tmp_path / ("a" * 300)))))
    report = await examine(of(tmp_path))
    assert report.disk.total > 0
    assert "database does not answer" in report.faults
