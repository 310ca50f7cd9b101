"""A push is handled to its end, also when its caller has given up or its sender unsubscribes meanwhile.

Red when `handle` awaits the task without `shield`, when `finish` does not wait, when `_handle` does not ask
`_remember` who has left, and when `_remember` asks before the result is copied.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import ACCOUNT, Page, World
from harness import world as started
from valkeys import a_valkey

from models.events import OpenId, Scan, Unsubscribed
from sandbox.people import Person
from service.app_keys import PUSH_DISPATCHER
from service.pushes.dispatcher import PushDispatcher
from service.storage.redis import connect
from service.tickets.decisions import TicketDecisions


@pytest.fixture
def dispatcher(world: World) -> PushDispatcher:
    return world.app[PUSH_DISPATCHER]


@pytest.fixture
def locked(world: World) -> Iterator[sqlite3.Connection]:
    """Keep the service from writing, until this transaction ends."""
    file = world.settings.data_dir / "scanbind.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        yield foreign


def _scan(world: World, person: Person, page: Page) -> Scan:
    scene = world.sandbox.code(page.made["qr_url"]).scene
    return Scan(
        _openid(person), ACCOUNT.gh_id, int(world.clock.seconds()), key=page.id, scene=scene, followed=False
    )


def _openid(person: Person) -> OpenId:
    return OpenId(person.openid(ACCOUNT.appid))


async def test_a_push_whose_caller_gave_up_is_handled_to_its_end_and_waited_for(
    world: World, dispatcher: PushDispatcher, locked: sqlite3.Connection
) -> None:
    page = await world.login()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await dispatcher.handle("main", _scan(world, await world.person(following=False), page))
    finishing = asyncio.create_task(dispatcher.finish())
    assert await asyncio.wait({finishing}, timeout=0.2) == (set(), {finishing})
    locked.execute("COMMIT")
    await finishing
    assert (await page.poll())["status"] == "confirmed"


async def test_who_unsubscribes_between_the_commit_of_their_scan_and_its_copies_is_erased_from_both_stores(
    world: World, dispatcher: PushDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, person = await world.bind("42"), await world.person()
    scan, confirm = _scan(world, person, page), TicketDecisions.confirm_arrival
    left = Unsubscribed(scan.openid, scan.gh_id, scan.created + 1, key="left")

    async def overtaken(*arguments: Any, **options: Any) -> Any:
        confirmed = await confirm(*arguments, **options)
        await dispatcher.handle("main", left)
        return confirmed

    monkeypatch.setattr(TicketDecisions, "confirm_arrival", overtaken)
    assert await dispatcher.handle("main", scan) is None
    assert await world.bindings("42") == []
    assert scan.openid not in str(await world.redis.get(f"scanbind:t:{page.id}"))
    assert await world.redis.keys("scanbind:q:*") == []


async def test_who_unsubscribes_before_their_scan_is_committed_is_erased_though_nothing_can_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_remember` raises what a copy raised before it asks who has left."""
    async with a_valkey(tmp_path / "valkey") as url, started(f"{url}/0", tmp_path) as world, connect(url) as redis:
        page, person = await world.bind("42"), await world.person()
        dispatcher, confirm = world.app[PUSH_DISPATCHER], TicketDecisions.confirm_arrival
        scan = _scan(world, person, page)

        async def overtaken(*arguments: Any, **options: Any) -> Any:
            await dispatcher.handle("main", Unsubscribed(scan.openid, scan.gh_id, scan.created + 1, key="left"))
            await redis.config_set("min-replicas-to-write", "1")
            return await confirm(*arguments, **options)

        monkeypatch.setattr(TicketDecisions, "confirm_arrival", overtaken)
        assert await dispatcher.handle("main", scan) is None
        await redis.config_set("min-replicas-to-write", "0")
        assert await world.bindings("42") == []


async def test_who_has_left_is_asked_of_redis_after_all_else_is_written(
    world: World, dispatcher: PushDispatcher
) -> None:
    page, person = await world.login(), await world.person()
    await dispatcher.handle("main", _scan(world, person, await world.login()))  # loads the scripts
    commands: list[str] = []
    async with world.redis.monitor() as monitor:
        await dispatcher.handle("main", _scan(world, person, page))
        await world.redis.echo("over")
        while not (commands and commands[-1] == "ECHO over"):
            commands.append((await monitor.next_command())["command"])
    asked = max(at for at, it in enumerate(commands) if it.startswith("GET scanbind:d:"))
    written = [at for at, it in enumerate(commands) if it.startswith(("SET scanbind:", "EVALSHA"))]
    assert len(written) > 4
    assert asked > max(written)
