"""`scanbind status` as a command: what it prints, and its exit status."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession
from config_files import COMPLETE
from serving import serving, wechat

from service.cli.main import main

ROOT = Path(__file__).parents[3]
SILENT_DNS = """
import socket, sys, time
socket.getaddrinfo = lambda *_, **__: time.sleep(20)
from service.cli.main import main
sys.exit(main(["status", "--json"]))
"""
ELSEWHERE = {
    "SCANBIND_REDIS__URL": "redis://redis.example/0",
    "SCANBIND_DATABASE__URL": "postgresql://u@database.example/n",
    "SCANBIND_SECRET_KEY": "k" * 40,
}


async def test_it_is_good_while_the_service_runs_and_has_failed_once_it_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("status", "--config", str(tmp_path / "config.yaml"))
    async with wechat() as api, ClientSession() as http:
        async with serving(tmp_path, api) as service:
            await service.ready(http)
            assert await asyncio.to_thread(main, command) == 0
            assert f"process   {service.process.pid}: version " in capsys.readouterr().out
            assert await asyncio.to_thread(main, (*command, "--json")) == 0
            assert json.loads(capsys.readouterr().out)["faults"] == []
        assert await asyncio.to_thread(main, command) == 1
        assert capsys.readouterr().out.endswith("fault: no process is running\nfault: redis does not answer\n")


def test_a_faulty_configuration_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("servr: {}")
    assert main(("status", "--config", str(tmp_path / "config.yaml"))) == 2
    assert capsys.readouterr().err == "servr: unknown key\n"


def test_a_dns_server_that_does_not_answer_holds_nothing_up(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SILENT_DNS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **COMPLETE, **ELSEWHERE},
        stdout=subprocess.PIPE,
        check=False,
    )
    assert time.monotonic() - began < 15
    assert done.returncode == 1
    assert "redis does not answer" in json.loads(done.stdout)["faults"]
