"""The processes that are measured, and how they start and end. Each says its port in a line of JSON."""

import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.wechat import ACCOUNT

SITE: Final = "shop"
PASSWORD: Final = "the shop's own secret"
_READY_WITHIN: Final = 30.0
_GONE_WITHIN: Final = 15.0
_LOOK_EVERY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a loopback port."""

    port: int
    pid: int

    def memory(self) -> int:
        """Return the bytes of RAM that the process has to itself or shares (Rss)."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scanbind-bench-") as name:
        yield Path(name)


def allow_files(count: int) -> None:
    """Let this process and those it starts hold *count* files. Raises SystemExit where that is forbidden."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(f"{count} open files are needed and {hard} allowed: fewer --waiters, or a higher `ulimit -Hn`")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def pin(pid: int, cpu: int) -> None:
    """Keep a process, with what it starts from now on, on one processor; nothing where there are too few."""
    if hasattr(os, "sched_setaffinity") and {0, 1} <= os.sched_getaffinity(0) | os.sched_getaffinity(pid):
        os.sched_setaffinity(pid, {cpu})


@asynccontextmanager
async def service(place: Path, *, wechat: Server) -> AsyncIterator[Server]:
    """Run the service on embedded stores, for one site that asks nothing after a scan."""
    config = place / "config.yaml"
    config.write_text(json.dumps(_settings(place, wechat)))  # JSON is YAML
    async with _server("service", "serve", "--config", str(config), journal=place / "service.log") as server:
        yield server


@asynccontextmanager
async def wechat(place: Path, *, people: int) -> AsyncIterator[Server]:
    """Run the sandbox, with that many followers."""
    async with _server("bench.wechat", str(people), journal=place / "wechat.log") as server:
        yield server


@asynccontextmanager
async def bare(place: Path, *, answer: bytes = b"") -> AsyncIterator[Server]:
    """Run the bare handlers; *answer* is what a poll gets."""
    async with _server("bench.baseline_server", answer.decode(), journal=place / "bare.log") as server:
        yield server


@asynccontextmanager
async def _server(module: str, *arguments: str, journal: Path) -> AsyncIterator[Server]:
    with journal.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdin=DEVNULL, stdout=file, stderr=STDOUT
        )
    try:
        yield Server(await _port(process, journal), process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _GONE_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _port(process: asyncio.subprocess.Process, journal: Path) -> int:
    """Return the port that the process says it listens on. Raises SystemExit when it does not start."""
    until = time.monotonic() + _READY_WITHIN
    while process.returncode is None and time.monotonic() < until:
        if port := _said(journal):
            return port
        await asyncio.sleep(_LOOK_EVERY)
    sys.exit(f"{journal.stem} did not start; it said:\n{_end(journal)}")


def _said(journal: Path) -> int | None:
    """Return the port in the first line that names one."""
    for line in journal.read_text().splitlines():
        with contextlib.suppress(ValueError):  # half a line, or no JSON
            if isinstance(port := json.loads(line).get("port"), int):
                return port
    return None


def _end(journal: Path) -> str:
    return journal.read_text()[-2000:]


def _settings(place: Path, wechat: Server) -> dict[str, object]:
    return {
        "server": {"port": 0},
        "data_dir": str(place / "data"),
        "accounts": {
            "main": {
                "appid": ACCOUNT.appid,
                "secret": ACCOUNT.secret,
                "token": ACCOUNT.token,
                "aes_key": ACCOUNT.aes_key,
                "api_base": f"http://127.0.0.1:{wechat.port}",
                "max_skew": 0,  # the pushes are sealed before the clock starts, which may take long
            }
        },
        "clients": {
            SITE: {"name": "Example shop", "secret": PASSWORD, "accounts": ["main"], "confirm": "none"},
        },
        "tickets": {"login_lifetime": 1800, "bind_lifetime": 1800},
    }
