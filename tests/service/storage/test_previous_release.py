"""Upgrades from the previous release as docs/upgrade.md says: old data with new code, and old beside new code.

Red when something that the previous release stored is lost or cannot be finished after `scanbind migrate`, when a
login cannot go from a process of one release to one of the other, and when the way back is not as the page says.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from harness import ORIGIN, client, free_port
from migrated import empty_tables
from previous_release import PreviousRelease, unpacked
from redis.asyncio import Redis
from serving import Service, serving
from visitors import Told, Visitors, scanbind, visitors

import migrations
from service.storage.database import connect

PAGE = Path(__file__).parents[3] / "docs" / "upgrade.md"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> PreviousRelease:
    return unpacked(tmp_path_factory.mktemp("previous"))


@pytest.fixture(params=["embedded", "postgresql", "mariadb"])
def stores(request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> dict[str, Any]:
    """The settings of the stores."""
    return {} if request.param == "embedded" else _external(request.getfixturevalue(request.param), redis_url)


@pytest.fixture(params=["postgresql", "mariadb"])
def shared(request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> dict[str, Any]:
    """The settings of stores for several processes."""
    return _external(request.getfixturevalue(request.param), redis_url)


def _external(url: str, redis_url: str) -> dict[str, Any]:
    return {"database": {"url": url}, "redis": {"url": redis_url}, "secret_key": "k" * 40}


async def emptied(stores: dict[str, Any], folder: Path) -> None:
    if stores:
        async with connect(stores["database"]["url"], data_dir=folder, patient=True) as database:
            await empty_tables(database)


@dataclass
class Hook:
    """An endpoint of webhooks, which takes nothing until it is opened."""

    url: str
    port: int

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[asyncio.Queue[Told]]:
        """Take events; yield those that come."""
        events = asyncio.Queue[Told]()

        async def take(request: web.Request) -> web.Response:
            events.put_nowait(await request.json())
            return web.Response()

        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            yield events
        finally:
            await runner.cleanup()

    def settings(self) -> dict[str, Any]:
        hook = {
            "url": self.url,
            "secret": "whsec_" + "a" * 32,
            "events": ["binding.created"],
            "allow_private": True,
        }
        return {"clients": {"shop": client("shop", webhooks=[hook])}}


@pytest.fixture
def hook() -> Hook:
    with free_port() as sock:
        port = sock.getsockname()[1]
    return Hook(f"http://127.0.0.1:{port}/", port)


async def test_what_the_previous_release_stored_is_there_and_can_be_finished(
    stores: dict[str, Any], previous: PreviousRelease, hook: Hook, tmp_path: Path
) -> None:
    *commands, last = re.findall(r"^ +scanbind ([\w-]+) --config my\.yaml$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert (commands, last) == (["check-config", "migrate"], "serve")
    await emptied(stores, tmp_path)
    settings = stores | hook.settings()
    async with visitors() as they:
        async with serving(tmp_path, they.api, **previous.how, **settings) as service:
            await they.arrive(service)
            await they.bind("bob")
            registration = (await they.log_in("carl"))["registration"]
            login, bind = await they.page(state="s"), await they.page(user_id="dora")
            portal = (await they.site("POST", "/v1/portal-sessions", {"user_id": "bob"}))[1]
        for command in commands:
            await scanbind(tmp_path, command)
        async with serving(tmp_path, they.api, **settings) as service, hook.opened() as events:
            await they.arrive(service)
            assert (await they.log_in("bob"))["user_id"] == "bob"
            carl = {"user_id": "carl", "registration": registration}
            assert (await they.site("POST", "/v1/bindings", carl))[0] == 201
            told = await finish(they, "bob", login)
            assert (told["user_id"], told["state"]) == ("bob", "s")
            assert (await they.scanned("dora", bind))["outcome"] == "bound"
            assert await open_portal(they, portal) == 200
            async with asyncio.timeout(60):
                # the event that waited for its next attempt, which later ones may overtake
                while (await events.get())["data"]["user_id"] != "bob":
                    pass
        assert "bound" in await scanbind(tmp_path, "audit", "--user-id", "bob")


async def finish(they: Visitors, name: str, made: Told) -> Told:
    """Scan a login's code and exchange it."""
    status, told = await they.exchange((await they.scanned(name, made))["code"])
    assert status == 200, told
    return told


async def open_portal(they: Visitors, portal: Told) -> int:
    path = f"/v1/portal-sessions/{portal['token'].partition('.')[0]}/open"
    headers = {"Authorization": f"Bearer {portal['token']}", "Origin": ORIGIN}
    return (await they.call("POST", path, headers=headers))[0]


async def test_a_process_of_the_previous_release_works_beside_one_of_this(
    shared: dict[str, Any], previous: PreviousRelease, tmp_path: Path
) -> None:
    await emptied(shared, tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    async with visitors() as they:
        async with serving(tmp_path / "old", they.api, **previous.how, **shared) as old:
            await they.arrive(old)
            await they.bind("old")
            await scanbind(tmp_path / "old", "migrate")
            async with serving(tmp_path / "new", they.api, **shared) as new:
                await they.arrive(new)
                await they.bind("new")
                for first, second in ((old, new), (new, old)):
                    await cross(they, first, second)
        async with serving(tmp_path / "old", they.api, **previous.how, **shared) as old:
            await check_way_back(they, old, previous)


async def cross(they: Visitors, first: Service, second: Service) -> None:
    """Start logins and binds at one process, scan them at the other, and finish them at either."""
    name = f"from {first.url}"
    they.turn_to(first)
    login, bind = await they.page(state="s"), await they.page(user_id=name)
    portal = (await they.site("POST", "/v1/portal-sessions", {"user_id": name}))[1]
    they.turn_to(second)
    code = (await they.scanned("old", login))["code"]
    registration = (await they.log_in(name))["registration"]
    assert await open_portal(they, portal) == 200
    they.turn_to(first)
    status, told = await they.exchange(code)
    assert (status, told["user_id"], told["state"]) == (200, "old", "s")
    assert (await they.exchange(code))[0] == 400
    assert (await they.site("POST", "/v1/bindings", {"user_id": name, "registration": registration}))[0] == 201
    they.turn_to(second)
    assert (await they.scanned(name, bind))["outcome"] == "already_bound"
    assert (await they.log_in("new"))["user_id"] == "new"


async def check_way_back(they: Visitors, old: Service, previous: PreviousRelease) -> None:
    """Go back to the previous release: it works if the schema is the same, and does not start otherwise."""
    if previous.ask("migrations.head()") == migrations.head():
        await they.arrive(old)
        assert (await they.log_in("new"))["user_id"] == "new"
    else:
        assert await old.process.wait() == 1
        assert "the database is at revision" in old.log.read_text()
