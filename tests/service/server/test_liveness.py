"""The health check of the image asks the configured port, and fails for all else.

Red when it asks another port, when it fails for a fault that the running service does not have, when it passes
where another program or no program listens, and when it waits for ever.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from harness import World
from serving import listening

from service.config.settings import Server
from service.server import liveness
from service.server.liveness import is_alive


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


async def checked(port: int, **settings: Any) -> bool:
    return await asyncio.to_thread(is_alive, Server(port=port, **settings))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_service_is_alive_at_its_port(world: World, host: str) -> None:
    assert await checked(port_of(world.url), host=host)


async def test_another_program_at_the_port_is_not_the_service() -> None:
    async with listening(web.Application()) as url:
        assert not await checked(port_of(url))


def test_a_closed_port_is_not_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert not is_alive(Server(port=port))


async def test_a_program_that_does_not_answer_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "_PATIENCE", 0.2)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert not await asyncio.wait_for(checked(silent.getsockname()[1]), 20)


def check(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "service.server.liveness"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_check_names_the_fault_of_a_broken_configuration(tmp_path: Path) -> None:
    done = check(tmp_path, SCANBIND_SERVER__PORT="none")
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "server.port")


async def test_a_fault_that_a_reload_would_refuse_does_not_make_a_running_service_ill(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("clients: {shop: {nam: Shop}}")
    done = await asyncio.to_thread(check, tmp_path, SCANBIND_SERVER__PORT=str(port_of(world.url)))
    assert (done.returncode, done.stderr) == (0, "")
