"""The service is killed with SIGKILL while people bind, log in and disconnect, and a site hears of it by webhooks.

Each committed change reaches the receiver, in order for one person. What arrives twice has the same webhook-id and
payload. Red when an event is settled before it is posted, when it is not written in the transaction of its change,
when a lease never ends, and when a later event of a person is claimed before an earlier one is settled.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession
from delivery_checks import check_deliveries, committed, pending
from harness import ACCOUNT, client
from migrated import put_migrated
from redis.asyncio import Redis
from regular_visitors import Regulars
from serving import Service, listening, serving
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from webhook_receiver import OK, Receiver, Reply, receiving

from sandbox.app import SANDBOX, make_app
from service.storage.database import Database
from service.webhooks.signatures import fresh_secret

KILLS = math.ceil(int(os.environ.get("DELIVERIES", "4")) / 2)
"""In each of the two tests; `make prove-webhooks N=200` shares out 200."""
SEED = int(os.environ.get("SEED", "1"))
PEOPLE = 20
HOW = ("committed", "posted", "random")
"""Kills: after the n-th push is answered, after the n-th webhook arrived, at any time after the start."""
ON_ITS_WAY = (0.1, 0.2)
"""Seconds that a request is on its way, and its answer, so that kills hit both."""
LIMITS = ("tickets_per_address", "tickets_per_client", "tickets_per_user", "scans_per_openid")
"""What would refuse the traffic of a long proof."""
WITHIN = 30.0
"""Seconds from the last start, after which all that a kill interrupted is delivered (contract.md 9).

Then the oldest event that waits is delivered within as long, until none is left.
"""

pytestmark = pytest.mark.timeout(180 + 15 * KILLS)


@dataclass
class Life:
    """The service's lives in *folder*, one after the other, and the traffic through all of them."""

    folder: Path
    engine: AsyncEngine
    settings: dict[str, Any]
    api: str
    traffic: Regulars
    receiver: Receiver
    rng: Random

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Service]:
        async with serving(self.folder, self.api, **self.settings) as service:
            self.traffic.url = service.url
            await service.ready(self.traffic.http)
            yield service

    async def until_killed(self) -> str:
        """Start the service and kill it; say when."""
        sender, rng, received = self.traffic.sender, self.rng, self.receiver.received
        how, count, part = rng.choice(HOW), rng.randint(1, 20), rng.uniform(0, 0.05)
        self.receiver.reply = Reply(late=rng.uniform(*ON_ITS_WAY), wait=rng.uniform(*ON_ITS_WAY))
        async with self.started() as service:
            answered, heard = sender.answered, len(received)
            if how == "committed":
                await sender.until(lambda: sender.answered >= answered + count, seconds=20)
            elif how == "posted":
                await self.receiver.wait_for(heard + count)
            await asyncio.sleep(40 * part if how == "random" else part)
            service.process.kill()
            await service.process.wait()
        return f"{how}, {sender.answered - answered} pushes answered, {len(received) - heard} webhooks received"

    async def run(self) -> None:
        """Kill the service under traffic, then let the traffic end; check what the receiver heard."""
        async with asyncio.TaskGroup() as group:
            people = [group.create_task(self.traffic.run(number)) for number in range(PEOPLE)]
            for kill in range(KILLS):
                how = await self.until_killed()
                print(f"kill {kill + 1}: {how}")  # noqa: T201 - says how far it came
            self.traffic.ended, self.receiver.reply = True, OK
            interrupted = await pending(self.engine, leased=True)
            async with self.started():
                await self._delivered(interrupted)
                await asyncio.wait(people)
                while left := await pending(self.engine):
                    await self._delivered({min(left)})
        told = await committed(self.engine)
        check_deliveries(self.receiver.received, told)
        distinct = len({one.id for one in self.receiver.received})
        repeated = len(self.receiver.received) - distinct
        print(f"{distinct} events, {told.logins} of them logins; {repeated} repeated")  # noqa: T201

    async def _delivered(self, which: set[int]) -> None:
        """Wait until these events are no longer pending."""
        async with asyncio.timeout(WITHIN):
            while which & await pending(self.engine):
                await asyncio.sleep(0.2)


async def live(folder: Path, *, database_url: str, redis_url: str, isolation: str, **settings: Any) -> None:
    """Run all lives on these stores."""
    print(f"\n{KILLS} kills, SEED={SEED}")  # noqa: T201 - to repeat a failure with
    wechat, secret = make_app([ACCOUNT], public_url="http://weixin.qq.com"), fresh_secret()
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(secret))
        webhook = {"url": receiver.url, "secret": secret, "allow_private": True}
        settings |= {
            "secret_key": "k" * 40,
            "redis": {"url": redis_url},
            "clients": {"shop": client("shop", webhooks=[webhook])},
            "limits": dict.fromkeys(LIMITS, 0),
            "tickets": {"login_lifetime": 1800, "bind_lifetime": 1800},
        }
        api = await stack.enter_async_context(listening(wechat))
        http = await stack.enter_async_context(ClientSession())
        engine = create_async_engine(database_url, isolation_level=isolation)
        stack.push_async_callback(engine.dispose)
        traffic = Regulars(http, wechat[SANDBOX], SEED)
        await Life(folder, engine, settings, api, traffic, receiver, Random(SEED)).run()


async def test_a_killed_service_delivers_every_committed_change(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir(mode=0o700)
    put_migrated(tmp_path / "var" / "scanbind.sqlite3")
    url = f"sqlite+aiosqlite:///{tmp_path}/var/scanbind.sqlite3"
    await live(tmp_path, database_url=url, redis_url=redis_url, isolation="SERIALIZABLE")


async def test_a_service_killed_beside_postgresql_delivers_every_committed_change(
    postgresql: str, postgres: Database, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"isolation": "REPEATABLE READ", "database": {"url": postgresql}}
    await live(tmp_path, database_url=postgresql, redis_url=redis_url, **how)
