"""Followers who unsubscribe, and subjects of `scanbind privacy`, are erased from SQL, Redis and memory.

Covers: service.privacy.export, service.privacy.redis_erasure.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness import ACCOUNT, Page, World, account, client, free_port
from portal_client import visit

from models.events import OpenId
from sandbox.people import Person
from service.app_keys import FEED
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.server.runner import running
from service.storage.database import connect
from service.storage.embedded_valkey import valkey

Make = Callable[..., Any]
KEY = "an encryption key of the tests and long enough"
UNIONID, BROWSER, NAME, USER = "canary-unionid", "203.0.113.77", "canary@shop.example", "canary-user"
VISITOR = {"ip": BROWSER, "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}


@dataclass
class Town:
    """Two services on the same stores, and one person with data in every table and key."""

    world: World
    other: World
    person: Person
    folder: Path

    @property
    def openid(self) -> str:
        return self.world.sandbox.contact(self.person).openid

    async def redis(self) -> str:
        keys = [key async for key in self.world.redis.scan_iter()]
        return "\n".join([f"{key} {await self.world.redis.get(key)}" for key in keys])

    def file(self) -> bytes:
        """Return the database as it lies on the disk."""
        with closing(sqlite3.connect(self.folder / "scanbind.sqlite3")) as sql:
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(file.read_bytes() for file in self.folder.glob("scanbind.sqlite3*"))

    def rows(self) -> str:
        with closing(sqlite3.connect(self.folder / "scanbind.sqlite3")) as sql:
            return "\n".join(sql.iterdump())

    def memory(self) -> str:
        feeds = [one.app[FEED]._cache for one in (self.world, self.other)]
        return repr(feeds)

    async def everything(self) -> str:
        return "\n".join([await self.redis(), self.rows(), self.file().decode("latin-1"), self.memory()])


@pytest.fixture
async def beside() -> AsyncIterator[Callable[[World], Any]]:
    """Start a second service beside the first; WeChat pushes to the first."""
    async with AsyncExitStack() as stack:

        async def start(world: World) -> World:
            sock = stack.enter_context(free_port())
            service = await stack.enter_async_context(running(world.settings, sock=sock, clock=world.clock))
            return replace(world, url=f"http://127.0.0.1:{service.port}", service=service)

        yield start


@pytest.fixture(params=[[], [KEY]], ids=["clear", "sealed"])
async def town(request: pytest.FixtureRequest, make: Make, beside: Any, tmp_path: Path) -> Town:
    """A full run: bound, logged in, a login and a bind asked and unanswered, the portal open."""
    asks = client("shop", confirm="match")
    world: World = await make(clients={"shop": asks, "club": client("club")}, encryption={"keys": request.param})
    other: World = await beside(world)
    person = await world.person(unionid=UNIONID)
    town = Town(world, other, person, tmp_path)
    asked = {"account_name": NAME, "visitor": VISITOR}
    bound = await answered(town, await other.bind(USER, **asked))
    assert bound["outcome"] == "bound"
    login = await answered(town, await other.login(state="canary-state"))
    assert (await other.exchange(login["code"])).status == 200
    await visit(other, USER, account_name=NAME)
    for page in (await other.login(state="canary-state"), await other.bind(USER, session="2", **asked)):
        await world.scan(person, page)
        assert (await page.poll())["status"] == "scanned"
    async with asyncio.timeout(20):
        while not written(town.rows(), "portal_opened", *([] if request.param else [UNIONID])):
            await asyncio.sleep(0.02)
    return town


def written(rows: str, *others: str) -> bool:
    """Tell whether what is noted and learned beside the answers is in SQL."""
    return rows.count("'ticket_made'") == rows.count("'scanned'") == 4 and all(it in rows for it in others)


async def answered(town: Town, page: Page) -> dict[str, Any]:
    await town.world.scan(town.person, page)
    await town.world.say(town.person, (await page.poll())["match"])
    return await page.until("confirmed")


def left(kept: str, *canaries: str) -> list[str]:
    return [canary for canary in canaries if canary in kept]


async def gone(town: Town, *canaries: str) -> None:
    """Wait until no store holds any of *canaries*: what is published arrives a moment later."""
    async with asyncio.timeout(20):
        while found := left(await town.everything(), *canaries):
            assert found
            await asyncio.sleep(0.05)


async def test_who_leaves_is_in_no_store(town: Town) -> None:
    """Red when `left` forgets nothing in Redis, when `forget` keeps the openid, and with `secure_delete=OFF`."""
    openid = town.openid
    before = await town.everything()
    assert left(before, openid, BROWSER, NAME, "canary-state") == [openid, BROWSER, NAME, "canary-state"]
    await town.world.sandbox.unfollow(town.person)
    await gone(town, openid, UNIONID, f"…{openid[-8:]}", BROWSER)
    assert left(await town.redis(), NAME, "canary-state") == []
    assert await town.world.bindings(USER) == []


async def test_a_code_scanned_before_unsubscribing_has_no_owner_afterwards(make: Make) -> None:
    """Red when `forget` leaves the status."""
    world: World = await make(clients={"shop": client("shop", confirm="match")})
    page, person = await world.login(), await world.person()
    await world.scan(person, page)
    await world.sandbox.unfollow(person)
    assert (await page.poll())["status"] == "pending"
    assert "Type the two digits" in (await world.scan(await world.person(), page) or "")


async def test_a_push_that_is_handled_while_they_leave_leaves_nothing(
    make: Make, beside: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Red when `handle` does not look whether they left meanwhile, and when `left` does not flush the record."""
    world: World = await make(clients={"shop": client("shop", confirm="match")})
    page, person = await world.login(), await world.person()
    openid = world.sandbox.contact(person).openid
    seen, begun, go_on = Followers.seen, asyncio.Event(), asyncio.Event()

    async def slowly(self: Followers, *args: Any, **how: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await seen(self, *args, **how)

    monkeypatch.setattr(Followers, "seen", slowly)
    scan = asyncio.create_task(world.scan(person, page))
    await begun.wait()
    world.clock.advance(3)
    await world.sandbox.unfollow(person)
    go_on.set()
    await scan
    town = Town(world, world, person, tmp_path)
    async with asyncio.timeout(20):
        while "'scanned'" not in town.rows():  # the record is written a little later
            await asyncio.sleep(0.02)
    await gone(town, openid, f"…{openid[-8:]}")
    assert (await page.poll())["status"] == "pending"


async def test_an_export_holds_all_there_is_of_a_person(town: Town, command: Any) -> None:
    """Red when `disclose` leaves out a table, or `find` the tickets or the keys."""
    openid = town.openid
    status, told, _ = await command("export", "--openid", openid)
    assert status == 0
    assert told["subject"] == {"openid": f"…{openid[-8:]}", "account": None}
    [person] = told["people"]
    assert (person["openid"], person["unionid"], person["lang"]) == (openid, UNIONID, "en")
    assert [(it["user_id"], it["openid"]) for it in told["bindings"]] == [(USER, openid)]
    assert [it["change"] for it in told["history"]] == ["bound"]
    assert sorted(it["outcome"] for it in told["endings"]) == ["bound", "login"]
    assert {"answered", "exchanged"} <= {it["event"] for it in told["record"]}
    assert sorted(it["status"] for it in told["redis"]["tickets"]) == ["confirmed"] * 2 + ["scanned"] * 2
    assert left(json.dumps(told), BROWSER, NAME, "canary-state") == [BROWSER, NAME, "canary-state"]
    assert len(told["redis"]["keys"]) > 4


async def test_an_export_holds_all_there_is_of_a_user(town: Town, command: Any) -> None:
    """Red when a table of users is left out."""
    status, told, _ = await command("export", "--user", USER, "--client", "shop")
    assert status == 0
    assert [it["openid"] for it in told["people"]] == [town.openid]
    assert [it["account_name"] for it in told["bind_requests"]] == [NAME, NAME]
    assert [it["account_name"] for it in told["portal_sessions"]] == [NAME]
    assert [len(told[name]) for name in ("bindings", "history", "endings")] == [1, 1, 2]
    assert {"ticket_made", "portal_opened"} <= {it["event"] for it in told["record"]}


async def test_a_person_who_is_erased_is_in_no_store(town: Town, command: Any) -> None:
    """Red when the command leaves out SQL, Redis, or the second pass."""
    openid = town.openid
    status, told, _ = await command("erase", "--openid", openid, "--yes")
    assert status == 0
    assert told["erased"]["database"] == {"followers": 1, "bindings": 1}
    assert told["erased"]["redis"]["tickets"] == 4
    assert {it["table"] for it in told["kept"]} == {"history", "endings", "audit"}
    assert openid not in json.dumps(told)
    await gone(town, openid, UNIONID, f"…{openid[-8:]}", BROWSER)
    assert left(await town.redis(), NAME, "canary-state") == []
    assert told["receipt"] in town.rows()
    assert "data_erased" in town.rows()


async def test_what_they_do_while_they_are_erased_is_erased_too(town: Town, command: Any) -> None:
    """Red without the second pass."""
    openid, page = town.openid, await town.other.login()
    erasing = asyncio.create_task(command("erase", "--openid", openid, "--yes"))
    async with asyncio.timeout(20):
        while "'data_erased'" not in town.rows() and await town.world.bindings(USER):
            await asyncio.sleep(0.01)
    assert await town.world.scan(town.person, page)
    status, told, _ = await erasing
    assert (status, told["erased"]["database"]) == (0, {"followers": 2, "bindings": 1})
    await gone(town, openid, UNIONID, f"…{openid[-8:]}", BROWSER)
    assert (await page.poll())["status"] == "pending"


async def test_tickets_that_nothing_leads_to_are_found_as_well(town: Town, command: Any) -> None:
    """Red when `everywhere` makes no difference."""
    redis = town.world.redis
    await redis.delete(*[key async for key in redis.scan_iter("scanbind:q:*")])
    status, *_ = await command("erase", "--openid", town.openid, "--yes")
    assert status == 0
    assert left(await town.redis(), town.openid, BROWSER, NAME) == []


async def test_a_user_who_is_erased_is_in_no_store(town: Town, command: Any) -> None:
    """Red when `forget_user` leaves out a table; and when it leaves the people of the user."""
    openid = town.openid
    status, told, _ = await command("erase", "--user", USER, "--client", "shop", "--yes")
    assert status == 0
    assert told["erased"]["database"] == {
        "bindings": 1,
        "followers": 1,
        "bind_requests": 2,
        "portal_sessions": 1,
        "history": 2,
    }
    await gone(town, openid, UNIONID, f"…{openid[-8:]}", BROWSER, NAME, USER, "canary-state")


async def test_a_code_that_was_open_cannot_bring_an_erased_user_back(make: Make, command: Any) -> None:
    """Red when `_cancel_requests` is not called."""
    world: World = await make(clients={"shop": client("shop")})
    page, person = await world.bind(USER), await world.person()
    status, *_ = await command("erase", "--user", USER, "--yes")
    assert status == 0
    assert (await page.poll())["status"] == "cancelled"
    await world.redis.flushall()
    assert await world.scan(person, page) is not None
    assert await world.bindings(USER) == []
    assert (await page.poll())["status"] == "cancelled"


async def test_a_person_bound_to_another_user_as_well_is_kept(make: Make, command: Any) -> None:
    """Red when `forget_user` does not look for other bindings."""
    world: World = await make()
    person = await world.bound(USER)
    await world.scan(person, await world.bind("other", client="club"))
    status, told, _ = await command("erase", "--user", USER, "--client", "shop", "--yes")
    assert status == 0
    assert [it["why"] for it in told["kept"] if it["table"] == "followers"] == ["bound to another user as well"]
    assert len(await world.bindings("other", client="club")) == 1
    assert await world.bindings(USER) == []


async def test_nothing_is_erased_unless_it_is_agreed_to(town: Town, command: Any) -> None:
    """Red when `--yes` is not asked for."""
    status, told, err = await command("erase", "--openid", town.openid)
    assert (status, told) == (2, None)
    assert "followers 1, bindings 1" in err
    assert "--yes" in err
    assert len(await town.world.bindings(USER)) == 1


async def test_who_is_not_known_is_said_to_be_unknown(make: Make, command: Any) -> None:
    await make()
    for do in ("export", "erase"):
        status, told, err = await command(do, "--openid", "oNobody", *(["--yes"] if do == "erase" else []))
        assert (status, told) == (1, None)
        assert "no data is stored about this person or user" in err


async def test_whose_user_is_meant_must_be_said(make: Make, command: Any) -> None:
    await make()
    status, _, err = await command("export", "--user", "42")
    assert status == 2
    assert "club, shop" in err


async def known(folder: Path, redis: str) -> None:
    """Configure a service that does not run, with one person in its database."""
    main_account = account(ACCOUNT, api_base="http://127.0.0.1:9")
    tree = {
        "data_dir": str(folder),
        "redis": {"url": redis},
        "secret_key": "k" * 40,
        "accounts": {"main": main_account},
        "clients": {"shop": client("shop")},
    }
    (folder / "config.yaml").write_text(json.dumps(tree))
    async with connect("embedded", data_dir=folder) as database:
        await Followers(database, Identities(FieldCipher.of([]))).seen(
            Sender("main", OpenId("oAnna"), datetime.now(UTC))
        )


async def test_embedded_stores_are_reached_beside_a_service_and_without_one(tmp_path: Path, command: Any) -> None:
    """Red when `shared` lets FolderInUseError through."""
    await known(tmp_path, "embedded")
    async with valkey(tmp_path):
        status, told, _ = await command("export", "--openid", "oAnna")
    assert (status, told["redis"]) == (0, {"tickets": [], "keys": {}})
    status, told, _ = await command("erase", "--openid", "oAnna", "--account", "main", "--yes")
    assert (status, told["erased"]["database"]) == (0, {"followers": 1})


async def test_sql_is_done_when_redis_is_away_and_the_receipt_says_so(tmp_path: Path, command: Any) -> None:
    """Red when a Redis that does not answer counts as one that was reached, or ends the command."""
    await known(tmp_path, f"unix://{tmp_path / 'nothing.sock'}")
    status, told, err = await command("export", "--openid", "oAnna")
    assert (status, told["redis"]) == (1, None)
    status, told, err = await command("erase", "--openid", "oAnna", "--yes")
    assert (status, told["erased"]) == (1, {"database": {"followers": 1}, "redis": None})
    assert "Redis does not answer" in err
    status, _, err = await command("erase", "--openid", "oAnna", "--yes")
    assert status == 1
    assert "no data is stored" in err
