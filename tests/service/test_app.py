"""The service as a real process: it starts, says what is wrong in one line, and stops without dropping anybody."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web
from harness import ACCOUNT, ORIGIN, account, client, free_port

from sandbox.app import make_app


@contextlib.asynccontextmanager
async def wechat() -> AsyncIterator[str]:
    runner = web.AppRunner(make_app([ACCOUNT], public_url="http://weixin.qq.com"), access_log=None)
    await runner.setup()
    with free_port() as sock:
        await web.SockSite(runner, sock).start()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        await runner.cleanup()


class Service:
    """`scanbind serve` in its own process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    async def ready(self, http: ClientSession) -> None:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(ClientError):
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def login(self, http: ClientSession) -> tuple[str, dict[str, str], str]:
        body = {"purpose": "login", "client_id": "shop"}
        async with http.post(f"{self.url}/v1/tickets", json=body, headers={"Origin": ORIGIN}) as response:
            made = await response.json()
            assert response.status == 201, made
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        address = f"{self.url}/v1/tickets/{made['ticket']}"
        async with http.get(address, headers=bearer) as response:
            return address, bearer, response.headers["ETag"]


@contextlib.asynccontextmanager
async def serving(folder: Path, api_base: str, **settings: Any) -> AsyncIterator[Service]:
    with free_port() as sock:
        port = sock.getsockname()[1]
    tree = {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "data_dir": str(folder / "var"),
        "accounts": {"main": account(ACCOUNT, api_base=api_base)},
        "clients": {"shop": client("shop")},
        **settings,
    }
    config, log = folder / "config.yaml", folder / "log"
    config.write_text(json.dumps(tree))
    with log.open("a") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service", "serve", "--config", str(config), stderr=output
        )
    try:
        yield Service(process, f"http://127.0.0.1:{port}", log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


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
        async with asyncio.timeout(5):
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
        for _ in range(2):
            async with serving(tmp_path, api) as service:
                await service.ready(http)
                address, bearer, tag = await service.login(http)
                command = [sys.executable, "-m", "service", "keys", "rotate", "--config", tmp_path / "config.yaml"]
                rotation = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
                assert await rotation.wait() == 0
                async with http.get(address, headers=bearer) as response:
                    assert response.status == 200
            async with serving(tmp_path, api) as service:
                await service.ready(http)
                path = address.partition("/v1")[2]
                async with http.get(f"{service.url}/v1{path}", headers=bearer) as response:
                    assert (response.status, response.headers["ETag"]) == (200, tag)
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


async def test_an_outdated_schema_is_named_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.sqlite3"
    change = {"database": {"url": f"sqlite:///{empty}"}, "secret_key": "k" * 40}
    async with serving(tmp_path, "http://127.0.0.1:1", **change) as service:
        assert await service.process.wait() == 1
        assert "run `scanbind migrate`" in service.log.read_text()
    migrate = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "migrate", "--config", str(tmp_path / "config.yaml")),
        stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    said, _ = await migrate.communicate()
    assert migrate.returncode == 0
    assert said.startswith(b"database is at revision ")
