"""`scanbind serve` as a process of its own, beside a WeChat in this one."""

import asyncio
import contextlib
import json
import os
import random
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web
from harness import ACCOUNT, ORIGIN, account, client, free_port

from sandbox.app import make_app


@contextlib.asynccontextmanager
async def listening(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve *app* in this process, by HTTPS if *tls* is given; give its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    with free_port() as sock:
        await web.SockSite(runner, sock, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{sock.getsockname()[1]}"
        await runner.cleanup()


def wechat() -> contextlib.AbstractAsyncContextManager[str]:
    return listening(make_app([ACCOUNT], public_url="http://weixin.qq.com"))


def port_of_a_process() -> int:
    """Return a port that is bound later: below those that the system gives to connections, which could take it."""
    for port in random.sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port of a hundred is free")


class Service:
    """`scanbind serve` in its own process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    async def ready(self, http: ClientSession) -> None:
        async with asyncio.timeout(60):
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
async def serving(
    folder: Path,
    api_base: str,
    *options: str,
    program: tuple[str, ...] = ("-m", "service"),
    variables: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Service]:
    """Run it in *folder*, with command line *options* and more *variables*; what it prints is in its `log`."""
    port = port_of_a_process()
    tree = {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}", **settings.pop("server", {})},
        "data_dir": str(folder / "var"),
        "accounts": {"main": account(ACCOUNT, api_base=api_base)},
        "clients": {"shop": client("shop")},
        **settings,
    }
    config, log = folder / "config.yaml", folder / "log"
    config.write_text(json.dumps(tree))
    with log.open("a") as output:
        command = (sys.executable, *program, "serve", "--config", str(config), *options)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env={**os.environ, **(variables or {})}
        )
    try:
        yield Service(process, f"http://127.0.0.1:{port}", log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
