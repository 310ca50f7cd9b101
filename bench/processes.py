"""Starts and stops the measured processes. Each prints its port in a line of JSON."""

import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from bench.server import Server
from bench.stores import EMBEDDED, Database
from bench.wechat import ACCOUNT

T = TypeVar("T")
SITE: Final = "shop"
ORIGIN: Final = "https://shop.example"
PASSWORD: Final = "the shop's own secret"
_MANY: Final = 1_000_000
_START_TIMEOUT: Final = 30.0
_STOP_TIMEOUT: Final = 15.0
_POLL_INTERVAL: Final = 0.02


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="scanbind-bench-") as name:
        yield Path(name)


def allow_files(count: int) -> None:
    """Raise the open files limit of this process and its children to *count*. Raises SystemExit if not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(f"{count} open files are needed but {hard} allowed: lower --waiters or raise `ulimit -Hn`")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def pin(pid: int, cpu: int) -> None:
    """Pin a process and its future children to one CPU, if there are at least two."""
    if hasattr(os, "sched_setaffinity") and {0, 1} <= os.sched_getaffinity(0) | os.sched_getaffinity(pid):
        os.sched_setaffinity(pid, {cpu})


@asynccontextmanager
async def service(
    place: Path,
    *,
    wechat: Server,
    database: str = EMBEDDED,
    redis: str = EMBEDDED,
    webhook: Server | None = None,
) -> AsyncIterator[Server]:
    """Run the service on migrated stores, for one site that needs no confirmation after a scan.

    *webhook* is a bare server that receives the site's events.
    """
    config = _configuration(place, wechat=wechat, database=database, redis=redis, webhook=webhook)
    async with _server("service", "serve", "--config", str(config), journal=_journal(place, "service")) as server:
        yield server


async def migrate(place: Path, *, wechat: Server, database: str) -> None:
    """Create the tables of a service. Raises SystemExit when that fails."""
    config = _configuration(place, wechat=wechat, database=database, redis=EMBEDDED)
    command = [sys.executable, "-m", "service", "migrate", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"scanbind migrate failed; its output:\n{output.decode()}")


@asynccontextmanager
async def wechat(place: Path, *, people: int) -> AsyncIterator[Server]:
    """Run the sandbox, with that many followers."""
    async with _server("bench.wechat", str(people), journal=_journal(place, "wechat")) as server:
        yield server


@asynccontextmanager
async def bare(place: Path, *, answer: bytes = b"") -> AsyncIterator[Server]:
    """Run the bare handlers; *answer* is the body of a poll's response."""
    async with _server("bench.baseline_server", answer.decode(), journal=_journal(place, "bare")) as server:
        yield server


@asynccontextmanager
async def minimal(place: Path, database: Database) -> AsyncIterator[Server]:
    """Run the minimal program on *database*."""
    async with _server("bench.minimal_program", database.minimal, journal=_journal(place, "minimal")) as server:
        yield server


@asynccontextmanager
async def direct_call(place: Path, *, wechat: Server) -> AsyncIterator[Server]:
    """Run the bare handler that creates QR codes."""
    async with _server("bench.direct_call", _api_base(wechat), journal=_journal(place, "direct")) as server:
        yield server


@asynccontextmanager
async def _server(module: str, *arguments: str, journal: Path) -> AsyncIterator[Server]:
    async with started(sys.executable, "-m", module, *arguments, journal=journal) as process:
        yield Server(await until_ready(process, journal, partial(_printed_port, journal)), process.pid)


@asynccontextmanager
async def started(*command: str, journal: Path) -> AsyncIterator[Process]:
    """Run *command*, whose output goes to *journal*, and end it with SIGTERM."""
    with journal.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=file, stderr=STDOUT)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()


async def until_ready(process: Process, journal: Path, ready: Callable[[], T | None]) -> T:
    """Return what *ready* returns once that is true. Raises SystemExit when the process does not start."""
    until = time.monotonic() + _START_TIMEOUT
    while process.returncode is None and time.monotonic() < until:
        if found := ready():
            return found
        await asyncio.sleep(_POLL_INTERVAL)
    sys.exit(f"{journal.stem} did not start; its output:\n{_end(journal)}")


def _printed_port(journal: Path) -> int | None:
    """Return the port in the first line that contains one."""
    for line in journal.read_text().splitlines():
        with contextlib.suppress(ValueError):  # an incomplete line, or no JSON
            if isinstance(port := json.loads(line).get("port"), int):
                return port
    return None


def _end(journal: Path) -> str:
    return journal.read_text()[-2000:]


def _journal(place: Path, name: str) -> Path:
    """Return the log of a process, in a folder that exists."""
    place.mkdir(exist_ok=True)
    return place / f"{name}.log"


def _api_base(wechat: Server) -> str:
    return f"http://127.0.0.1:{wechat.port}"


def _configuration(
    place: Path, *, wechat: Server, database: str, redis: str, webhook: Server | None = None
) -> Path:
    """Write the configuration of a service whose data is in *place*; return its file."""
    place.mkdir(exist_ok=True)
    config = place / "config.yaml"
    settings = _settings(place, wechat, webhook) | {"database": {"url": database}, "redis": {"url": redis}}
    config.write_text(json.dumps(settings))  # JSON is YAML
    return config


def _settings(place: Path, wechat: Server, webhook: Server | None) -> dict[str, object]:
    return {
        "server": {"port": 0},
        "secret_key": "k" * 40,
        "data_dir": str(place / "data"),
        "accounts": {
            "main": {
                "appid": ACCOUNT.appid,
                "secret": ACCOUNT.secret,
                "token": ACCOUNT.token,
                "aes_key": ACCOUNT.aes_key,
                "api_base": _api_base(wechat),
                "max_skew": 0,  # the pushes are encrypted long before they are sent
            }
        },
        "clients": {
            SITE: {
                "name": "Example shop",
                "secret": PASSWORD,
                "accounts": ["main"],
                "confirm": "none",
                "origins": [ORIGIN],
                "webhooks": [_webhook(webhook)] if webhook else [],
            },
        },
        "limits": {"tickets_per_address": _MANY, "tickets_per_client": _MANY},
        "tickets": {"login_lifetime": 1800, "bind_lifetime": 1800},
    }


def _webhook(receiver: Server) -> dict[str, object]:
    url = f"http://127.0.0.1:{receiver.port}/wechat/site"  # reads a body and answers
    return {"url": url, "secret": f"whsec_{'k' * 44}", "allow_private": True}
