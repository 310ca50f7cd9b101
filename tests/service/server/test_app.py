"""The service as a process: it starts, reports faults in one line, and stops without dropping requests.

Covers: service.server.runner.
"""

import asyncio
import json
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import ACCOUNT
from serving import serving, wechat

from service.cli.main import main


async def test_sigterm_answers_who_waits_and_exits_well_within_ten_seconds(tmp_path: Path) -> None:
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        address, bearer, tag = await service.login(http)

        async def long_poll() -> int:
            headers = {**bearer, "If-None-Match": tag, "Prefer": "wait=30"}
            async with http.get(address, headers=headers) as response:
                return response.status

        async def stream() -> bytes:
            async with http.get(f"{address}/events", headers=bearer) as response:
                streaming.set()
                return await response.read()

        streaming = asyncio.Event()
        polling, following = asyncio.create_task(long_poll()), asyncio.create_task(stream())
        await streaming.wait()
        async with asyncio.timeout(60):
            while b"scanbind_waiting 2.0" not in await (await http.get(f"{service.url}/metrics")).read():
                await asyncio.sleep(0.02)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert await polling == 304
        assert b"event: status" in await following
        async with http.get(f"{service.url}/readyz") as response:
            assert response.status == 503
        assert await service.process.wait() == 0
        assert time.monotonic() - began < 10


async def test_a_killed_service_comes_back_with_what_it_had(tmp_path: Path) -> None:
    async with wechat() as api, ClientSession() as http:
        async with serving(tmp_path, api) as service:
            await service.ready(http)
            address, bearer, tag = await service.login(http)
            service.process.kill()
            await service.process.wait()
        async with serving(tmp_path, api) as service:
            await service.ready(http)
            path = address.partition("/v1")[2]
            async with http.get(f"{service.url}/v1{path}", headers=bearer) as response:
                assert response.status == 200
                assert response.headers["ETag"] == tag


async def test_a_rotation_beside_a_running_service_takes_effect_at_its_next_start(tmp_path: Path) -> None:
    async with wechat() as api, ClientSession() as http:
        made: list[tuple[str, dict[str, str], str]] = []
        for rotates in (True, True, False):
            async with serving(tmp_path, api) as service:
                await service.ready(http)
                for path, bearer, tag in made:
                    async with http.get(service.url + path, headers=bearer) as response:
                        assert (response.status, response.headers["ETag"]) == (200, tag)
                if rotates:
                    address, bearer, tag = await service.login(http)
                    made.append((address.removeprefix(service.url), bearer, tag))
                    rotate = ("keys", "rotate", "--config", str(tmp_path / "config.yaml"))
                    assert await asyncio.to_thread(main, rotate) == 0
                    async with http.get(address, headers=bearer) as response:
                        assert response.status == 200
    assert len((tmp_path / "var" / "secret_key").read_text().split()) == 3


async def test_no_log_line_holds_a_secret_a_code_or_an_openid(tmp_path: Path) -> None:
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        address, bearer, _ = await service.login(http)
        async with http.get(f"{service.url}/wechat/main?signature=canarysignature&echostr=1") as response:
            assert response.status == 403
        async with http.get(address, headers={"Authorization": "Bearer canarysecret"}) as response:
            assert response.status == 404
        service.process.send_signal(signal.SIGTERM)
        await service.process.wait()
        log = service.log.read_text()
        for line in log.splitlines():
            json.loads(line)
        for canary in ("canary", bearer["Authorization"][7:], ACCOUNT.secret, ACCOUNT.token, ACCOUNT.aes_key):
            assert canary not in log


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"database": {"url": "postgresql://nobody@127.0.0.1:1/none"}, "secret_key": "k" * 40}, "database.url: "),
        ({"servr": {}}, "servr: unknown key"),
    ],
)
async def test_a_start_that_fails_says_why_in_one_line(tmp_path: Path, change: Any, fault: str) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1", **change) as service:
        assert await service.process.wait() in (1, 2)
        lines = service.log.read_text().splitlines()
        assert len(lines) == 1
        assert fault in lines[0], lines


async def test_an_outdated_schema_is_named_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.sqlite3"
    change = {"database": {"url": f"sqlite:///{empty}"}, "secret_key": "k" * 40}
    async with serving(tmp_path, "http://127.0.0.1:1", **change) as service:
        assert await service.process.wait() == 1
        assert "run `scanbind migrate`" in service.log.read_text()
    assert await asyncio.to_thread(main, ("migrate", "--config", str(tmp_path / "config.yaml"))) == 0
    assert capsys.readouterr().out.startswith("database is at revision ")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux tells of another process")
async def test_it_holds_as_many_connections_as_the_system_lets_it(tmp_path: Path) -> None:
    """Red when `serve` leaves the limit as it found it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
            await service.ready(http)
            assert resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
