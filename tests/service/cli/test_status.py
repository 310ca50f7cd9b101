"""`scanbind status` as a command: what it prints, and its exit status."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession
from serving import serving, wechat

from service.cli.main import main


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
