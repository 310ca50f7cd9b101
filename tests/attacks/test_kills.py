"""The service is killed with SIGKILL at random moments while people scan, answer, log in and register.

WeChat and the sites send again what was not answered. Nothing that was acknowledged is lost, and nothing is done
twice. Red when a push is acknowledged before its commit, when a binding, its history, the ending and the audit
entry are not committed together, and when a redelivery is answered with something else.
"""

import asyncio
import math
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession
from freezing import valkey_pid
from harness import ACCOUNT, client
from kill_checks import check_answers, check_database
from kill_traffic import Traffic
from migrated import put_migrated
from redis.asyncio import Redis
from serving import Service, listening, serving
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from two_services import NAMES

from sandbox.app import SANDBOX, make_app
from service.storage.database import Database

KILLS = math.ceil(int(os.environ.get("KILLS", "3")) / 3)
"""In each of the three tests; `make prove-kills N=200` shares out 200."""
SEED = int(os.environ.get("SEED", "1"))
HOW = ("early", "aimed", "aimed", "random")
"""Kills: after the first answer to a push, while the n-th push is in hand, and at any time after the start."""
SENDERS = 10
RECENT = 40
"""Visits that are asked about after a start; the end, and SQL, include all."""
SETTINGS: dict[str, Any] = {
    "secret_key": "k" * 40,
    "clients": {
        "shop": client("shop", confirm="none") | {"name": NAMES["shop"]},
        "club": client("club", confirm={"login": "choose", "bind": "tap"}) | {"name": NAMES["club"]},
    },
    "limits": {"tickets_per_address": 0, "tickets_per_client": 0},
    "tickets": {"login_lifetime": 1800, "bind_lifetime": 1800},
}

pytestmark = pytest.mark.timeout(120 + 30 * KILLS)


@dataclass
class Life:
    """The service's lives in *folder*, one after the other, and the traffic through all of them."""

    folder: Path
    engine: AsyncEngine
    settings: dict[str, Any]
    redis_dies: bool
    api: str
    traffic: Traffic
    rng: Random

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Service]:
        async with serving(self.folder, self.api, **SETTINGS, **self.settings) as service:
            self.traffic.url = service.url
            yield service

    async def until_killed(self) -> str:
        """Start the service and kill it; say when."""
        sender, rng = self.traffic.sender, self.rng
        how, count, part = rng.choice(HOW), rng.randint(1, 20), rng.uniform(0, 1.3)
        async with self.started() as service:
            answered = sender.answered
            if how == "early":
                await sender.until(lambda: sender.answered > answered, seconds=60)
            else:
                await service.ready(self.traffic.http)
                await self.check_answers()
            if how == "aimed":
                goal = sender.sent + count
                await sender.until(lambda: sender.sent >= goal, seconds=10)
            await asyncio.sleep(part if how == "random" else part * sender.usual)
            service.process.kill()
            if self.redis_dies:
                self._kill_redis()
            await service.process.wait()
        return f"{how}, {sender.answered - answered} pushes answered"

    def _kill_redis(self) -> None:
        os.kill(valkey_pid(self.folder / "var"), signal.SIGKILL)
        shutil.rmtree(self.folder / "var" / "valkey" / "appendonlydir")
        self.traffic.sender.losses += 1

    async def check_answers(self) -> None:
        await check_answers(self.traffic, self.traffic.visits[-RECENT:])

    async def run(self) -> None:
        """Kill the service under traffic, then let the traffic end; check after each death, and at the end."""
        untold = set[str]()
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(self.traffic.run()) for _ in range(SENDERS)]
            for kill in range(KILLS):
                how = await self.until_killed()
                print(f"kill {kill + 1}: {how}, {len(self.traffic.visits)} visits")  # noqa: T201 - says how far it came
                untold |= await check_database(self.engine, self.traffic.visits)
            async with self.started() as service:
                await service.ready(self.traffic.http)
                self.traffic.ended = True
                await asyncio.wait(senders)
                await self.check_answers()
                await check_database(self.engine, self.traffic.visits)
        print(f"{len(untold)} tickets ended, but the answer was lost")  # noqa: T201 - shows that the kills hit


async def live(folder: Path, *, database_url: str, redis_url: str | None, isolation: str, **settings: Any) -> None:
    """Run all lives on these stores; without *redis_url* on an embedded Valkey, which is lost with each life."""
    print(f"\n{KILLS} kills, SEED={SEED}")  # noqa: T201 - to repeat a failure with
    wechat = make_app([ACCOUNT], public_url="http://weixin.qq.com")
    if redis_url:
        settings["redis"] = {"url": redis_url}
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(listening(wechat))
        http = await stack.enter_async_context(ClientSession())
        engine = create_async_engine(database_url, isolation_level=isolation)
        stack.push_async_callback(engine.dispose)
        traffic = Traffic(http, wechat[SANDBOX], SEED)
        await Life(folder, engine, settings, redis_url is None, api, traffic, Random(SEED)).run()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """Return the address of the embedded database, migrated."""
    (tmp_path / "var").mkdir(mode=0o700)
    put_migrated(tmp_path / "var" / "scanbind.sqlite3")
    return f"sqlite+aiosqlite:///{tmp_path}/var/scanbind.sqlite3"


async def test_a_killed_service_loses_and_repeats_nothing(
    sqlite: str, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await live(tmp_path, database_url=sqlite, redis_url=redis_url, isolation="SERIALIZABLE")


async def test_a_service_killed_with_its_redis_loses_no_ending(sqlite: str, tmp_path: Path) -> None:
    await live(tmp_path, database_url=sqlite, redis_url=None, isolation="SERIALIZABLE")


async def test_a_service_killed_beside_postgresql_loses_and_repeats_nothing(
    postgresql: str, postgres: Database, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    database = {"url": postgresql}
    await live(
        tmp_path, database_url=postgresql, redis_url=redis_url, isolation="REPEATABLE READ", database=database
    )
