"""Control sockets: private, one a process, and those of killed processes are removed.

Covers: service.control.sockets.
"""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
from aiohttp import web

from service.config.settings import ConfigError
from service.control.asking import Answer, ask
from service.control.sockets import control_folder, control_socket, control_sockets


async def answering(listener: socket.socket, name: str) -> web.AppRunner:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"name": name, "path": request.path}, status=203)

    app = web.Application()
    app.router.add_route("*", "/{any}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


@pytest.fixture(params=["short", "long"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, also one whose path is too long for a socket."""
    return tmp_path / ("var" if request.param == "short" else "x" * 100)


async def test_every_process_answers(data_dir: Path) -> None:
    with control_socket(data_dir) as first, control_socket(data_dir) as second:
        runners = [await answering(first, "one"), await answering(second, "two")]
        answers = await ask(data_dir, "POST", "/reload")
        assert {answer.status for answer in answers} == {203}
        assert sorted(answer.body["name"] for answer in answers) == ["one", "two"]
        for runner in runners:
            await runner.cleanup()
    assert await ask(data_dir, "POST", "/reload") == []


def test_only_the_owner_may_connect(data_dir: Path) -> None:
    """Red when another user of the machine could reload the service."""
    before = os.umask(0)
    try:
        with control_socket(data_dir):
            (path,) = control_sockets(data_dir)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert control_sockets(data_dir) == []


async def test_the_socket_of_a_killed_process_is_removed(data_dir: Path) -> None:
    left = control_folder(data_dir) / "0123abcd.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
        killed.listen()
    assert control_sockets(data_dir) == [left]
    assert await ask(data_dir, "POST", "/reload") == []
    assert control_sockets(data_dir) == []


async def test_a_process_that_hangs_is_reported(tmp_path: Path) -> None:
    with control_socket(tmp_path) as silent:
        asking = asyncio.create_task(ask(tmp_path, "POST", "/reload", patience=0.2))
        assert await asking == [Answer(0, {})]
        assert silent.fileno() > 0
        assert len(control_sockets(tmp_path)) == 1  # it still runs


async def test_without_a_data_folder_no_process_runs(tmp_path: Path) -> None:
    assert await ask(tmp_path / "none", "POST", "/reload") == []
    assert not (tmp_path / "none").exists()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("")
    with pytest.raises(ConfigError, match=r"data_dir: .*control is not a folder"), control_socket(tmp_path):
        pass
