"""A database of the version before is upgraded beside a process of it, and the service is killed while it joins.

`make prove-migration N=20000` stores as many bindings. Red when the migration or the joining fails a statement of
the older process or makes it wait too long, when a binding is lost or doubled, and when `join_all` skips a row.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import older_version as older
import pytest
import sqlalchemy as sa
from aiohttp import ClientSession
from harness import account, client
from migrated import empty_tables, put_migrated
from older_process import OlderProcess
from redis.asyncio import Redis
from serving import Service, listening, serving
from upgrade_logins import OFFICIAL, Logins
from upgrade_people import CLIENTS, KEY, PLATFORMS, SEALED, Town, settle, store

from models.tables.bindings import bindings
from models.tables.identities import followers
from sandbox.app import SANDBOX, make_app
from service.bindings import conflicts
from service.identities.repository import NAMES
from service.storage.database import Database, connect

BINDINGS = int(os.environ.get("MIGRATED", "300"))
SEED = int(os.environ.get("SEED", "1"))
LOGINS = max(10, BINDINGS // 200)
CONFIG = "migrate.yaml"
LONGEST = 3.0
"""Seconds that a statement of the older process may take: then it gives up."""

pytestmark = pytest.mark.timeout(120 + BINDINGS // 10)


@pytest.fixture(params=["embedded", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of the database, as it is configured."""
    if request.param == "embedded":
        (tmp_path / "var").mkdir(mode=0o700)
        put_migrated(tmp_path / "var" / "scanbind.sqlite3")
        return "embedded"
    address: str = request.getfixturevalue(request.param)
    return address


@dataclass
class Upgrade:
    """The database, the people in it, and the service of this version in its lives."""

    database: Database
    folder: Path
    settings: dict[str, Any]
    town: Town
    api: str
    logins: Logins
    figures: dict[str, str] = field(default_factory=dict)

    async def migrate(self) -> None:
        began = time.monotonic()
        command = (sys.executable, "-m", "service", "migrate", "--config", str(self.folder / CONFIG))
        process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-2)
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        self.figures["migration, with the start of its process"] = f"{time.monotonic() - began:.1f} s"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Service]:
        async with serving(self.folder, self.api, **self.settings) as service:
            await service.ready(self.logins.http)
            self.logins.point(service.url)
            yield service

    async def apart(self, *where: sa.ColumnElement[bool]) -> int:
        """Return how many followers have a unionid and are not joined."""
        query = sa.select(sa.func.count()).select_from(followers)
        query = query.where(followers.c.unionid.is_not(None), followers.c.open_platform.is_(None), *where)
        return await self.database.read(lambda connection: connection.scalar(query)) or 0

    async def until_joined(self, most: int, *where: sa.ColumnElement[bool]) -> int:
        """Wait until no more than *most* are apart; return how many."""
        while (left := await self.apart(*where)) > most:
            await asyncio.sleep(0.02 if BINDINGS < 1000 else 0.2)
        return left


async def test_an_upgrade_beside_an_older_process_loses_and_doubles_nothing(
    url: str, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with prepared(url, redis_url, tmp_path) as it, asyncio.TaskGroup() as group:
        traffic = OlderProcess(it.database, it.town)
        if url != "embedded":  # which belongs to one process
            group.create_task(traffic.run())
            await asyncio.sleep(0.5)
        await it.migrate()
        await join_and_kill(it, group)
        traffic.ended = True
        await asyncio.sleep(0.2)
        it.figures["reads and writes of the older process"] = f"{traffic.done:,}"
        it.figures["the longest of them"] = f"{traffic.longest * 1000:.0f} ms"
        async with it.serving():
            await it.until_joined(0)
        assert traffic.failures == []
        assert traffic.longest < LONGEST
        await check(it)
        print(f"\n{url.partition(':')[0]}, SEED={SEED}")  # noqa: T201 - the result of `make prove-migration`
        for name, figure in it.figures.items():
            print(f"{name:45} {figure:>12}")  # noqa: T201


async def join_and_kill(it: Upgrade, group: asyncio.TaskGroup) -> None:
    """Start the service, kill it while it joins, start it again, and wait for all who were stored before."""
    last = await it.database.read(lambda connection: connection.scalar(sa.select(sa.func.max(followers.c.id))))
    before = followers.c.id <= last
    first = await it.apart(before)
    began = time.monotonic()
    async with it.serving() as service:
        logging_in = group.create_task(it.logins.run())
        await it.until_joined(first * 2 // 3, before)
        service.process.kill()
        await service.process.wait()
    took, left = time.monotonic() - began, await it.apart(before)
    assert 0 < left < first, "killed in the middle"
    began = time.monotonic()
    async with it.serving():
        await it.until_joined(0, before)
        took += time.monotonic() - began
        await logging_in
    it.figures["followers joined"] = f"{first:,}"
    it.figures["left when it was killed"] = f"{left:,}"
    it.figures["joining, with two starts"] = f"{took:.1f} s"
    it.figures["logins meanwhile"] = f"{it.logins.done}"


async def check(it: Upgrade) -> None:
    found, persons = await it.database.read(_stored)
    assert Counter(found) == Counter(it.town.users.items()), "a binding is lost, doubled or another user's"
    numbers, unionids = defaultdict[Any, set[int | None]](set), defaultdict[int | None, set[Any]](set)
    for name, openid, unionid, person in persons:
        assert unionid == it.town.unionids.get((name, openid))
        if unionid:
            numbers[unionid, PLATFORMS[name]].add(person)
            unionids[person].add((unionid, PLATFORMS[name]))
    assert {len(it) for it in (*numbers.values(), *unionids.values())} == {1}
    assert None not in unionids
    known = await it.database.read(lambda connection: conflicts.find(connection, SEALED))
    several = {(one.client, frozenset(str(binding.user_id) for binding in one.bindings)) for one in known}
    assert several == it.town.conflicts
    it.figures["bindings at the end"] = f"{len(found):,}"
    it.figures["persons with two users"] = f"{len(several)}"


def _stored(connection: sa.Connection) -> tuple[list[Any], list[Any]]:
    of = bindings.c
    joined = sa.join(bindings, followers, followers.c.id == of.follower_id)
    query = sa.select(of.client, of.user_id, *NAMES).select_from(joined)
    found = list[Any]()
    for row in connection.execute(query).mappings():
        identity = SEALED.read(row)
        assert identity is not None
        found.append(((row[of.client], identity.account, identity.openid), row[of.user_id]))
    people = SEALED.select(connection, sa.true())
    return found, [(one.account, one.openid, one.unionid, one.person) for one in people]


@asynccontextmanager
async def prepared(url: str, redis_url: str, folder: Path) -> AsyncIterator[Upgrade]:
    """A database of the version before with all its people, and WeChat."""
    wechat = make_app(list(OFFICIAL.values()), public_url="http://weixin.qq.com", retry_interval=0.5)
    file = f"sqlite+aiosqlite:///{folder}/var/scanbind.sqlite3"
    address = file if url == "embedded" else url
    async with AsyncExitStack() as stack:
        patient = await stack.enter_async_context(connect(address, data_dir=folder, patient=True))
        await empty_tables(patient)
        await older.step_back(patient)
        api = await stack.enter_async_context(listening(wechat))
        http = await stack.enter_async_context(ClientSession())
        town = settle(BINDINGS, rng := Random(SEED))
        logins = Logins(wechat[SANDBOX], http, town)
        town.stored += await logins.move_in(LOGINS)
        await store(patient, town.stored, rng)
        settings = configured(url, redis_url, api)
        (folder / CONFIG).write_text(json.dumps({"data_dir": str(folder / "var"), **settings}))
        database = await stack.enter_async_context(connect(address, data_dir=folder))
        it = Upgrade(database, folder, settings, town, api, logins)
        it.figures["bindings before"] = f"{len(town.users):,}"
        yield it


def configured(url: str, redis_url: str, api: str) -> dict[str, Any]:
    return {
        "database": {"url": url},
        "redis": {"url": redis_url},
        "secret_key": "k" * 40,
        "encryption": {"keys": [KEY]},
        "accounts": {
            name: account(official, api_base=api, open_platform=PLATFORMS[name])
            for name, official in OFFICIAL.items()
        },
        "clients": {name: client(name, accounts=list(OFFICIAL)) for name in CLIENTS},
        "limits": {"tickets_per_address": 0, "tickets_per_client": 0},
    }
