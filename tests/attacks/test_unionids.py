"""What a unionid must not do: let one person in as another, or undo what a person did.

Red when `join` looks across Open Platform accounts, `resolve` across clients or past separations, or two persons
with users of their own are made to share one.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, World, client

from models.audit import AuditEvent
from sandbox.people import Person
from service.cli.main import main

Make = Callable[..., Any]
ACCOUNTS = {"main": replace(ACCOUNT, open_platform="acme"), "second": replace(SECOND, open_platform="acme")}


@pytest.fixture
async def town(make: Make) -> World:
    """A service with two accounts of one Open Platform account."""
    clients = {name: client(name, accounts=[*ACCOUNTS]) for name in ("shop", "club")}
    world: World = await make(official=ACCOUNTS, clients=clients)
    return world


async def unknown(world: World) -> Person:
    """Make a person whose unionid WeChat does not tell yet."""
    person = await world.person(following=False)
    world.sandbox.withhold_unionid(person, account=ACCOUNT.appid)
    for official in ACCOUNTS.values():
        await world.sandbox.follow(person, by_search=True, account=official.appid)
    return person


async def logs_in(world: World, person: Person, *, account: str, site: str = "shop") -> str | None:
    """Log in by an account; return the user, None for a person who may register."""
    page = await world.login(client=site, account=account)
    await world.scan(person, page)
    response = await world.exchange((await page.poll())["code"], client=site)
    told: dict[str, Any] = await response.json()
    return told.get("user_id")


async def binds(world: World, person: Person, user_id: str, *, account: str, site: str = "shop") -> None:
    page = await world.bind(user_id, client=site, account=account)
    await world.scan(person, page)
    assert (await page.poll())["outcome"] == "bound"


async def test_a_person_is_the_same_user_at_every_account_and_at_no_other_site(town: World) -> None:
    anna, ben = await town.person(), await town.person()
    await binds(town, anna, "42", account="main")
    assert await logs_in(town, anna, account="second") == "42"
    assert {one["account"] for one in await town.bindings("42")} == {"main", "second"}
    assert await logs_in(town, anna, account="second", site="club") is None
    assert await logs_in(town, ben, account="second") is None


async def test_a_wechat_that_was_disconnected_alone_is_not_bound_again_by_a_scan(town: World) -> None:
    anna = await town.person()
    await binds(town, anna, "42", account="main")
    assert await logs_in(town, anna, account="second") == "42"
    assert (await town.site("DELETE", "/v1/bindings/42?account=second")).status == 204
    assert await logs_in(town, anna, account="second") is None
    assert await logs_in(town, anna, account="main") == "42"
    await binds(town, anna, "42", account="second")
    assert await logs_in(town, anna, account="second") == "42"


async def test_a_site_cannot_make_one_person_of_two(town: World) -> None:
    """A site binds two people to one user, while WeChat tells no unionid: at other sites they stay two."""
    anna, ben = await unknown(town), await unknown(town)
    await binds(town, anna, "shared", account="main", site="club")
    await binds(town, ben, "shared", account="second", site="club")
    await binds(town, anna, "42", account="main")
    assert await logs_in(town, ben, account="second") is None
    for person in (anna, ben):
        town.sandbox.disclose_unionid(person, account=ACCOUNT.appid)
    assert await logs_in(town, ben, account="second") is None
    assert await logs_in(town, ben, account="second", site="club") == "shared", "nothing is taken from anybody"


async def test_the_same_unionid_of_another_open_platform_account_is_another_person(make: Make) -> None:
    official = {"main": ACCOUNTS["main"], "second": replace(SECOND, open_platform="rival")}
    clients = {"shop": client("shop", accounts=[*official])}
    words = {name: {"open_platform": one.open_platform} for name, one in official.items()}
    town: World = await make(official=official, accounts=words, clients=clients)
    anna, mallory = await town.person(), await town.person()
    town.sandbox.change_unionid(anna, "u-anna", account=official["main"].appid)
    town.sandbox.change_unionid(mallory, "u-anna", account=official["second"].appid)
    await binds(town, anna, "42", account="main")
    assert await logs_in(town, mallory, account="second") is None


async def test_a_unionid_learnt_late_takes_no_user_from_a_person_and_is_reported(
    town: World, capsys: pytest.CaptureFixture[str]
) -> None:
    anna = await unknown(town)
    await binds(town, anna, "42", account="main")
    await binds(town, anna, "43", account="second")
    town.sandbox.disclose_unionid(anna, account=ACCOUNT.appid)
    for _ in range(2):
        assert await logs_in(town, anna, account="main") == "42"
        assert await logs_in(town, anna, account="second") == "43"
    config = ("--config", str(town.settings.data_dir / "config.yaml"))

    async def printed(*command: str) -> str:
        assert await asyncio.to_thread(main, [*command, *config]) == 0
        return capsys.readouterr().out

    async with asyncio.timeout(20):  # the unionid is stored after the reply
        while not (conflicts := await printed("bindings", "conflicts", "--client", "shop")):
            await asyncio.sleep(0.05)
    assert conflicts.startswith('shop: one person, user "42" (main, …')
    lines = (await printed("audit", "--event", AuditEvent.PERSON_CONFLICT, "--json")).splitlines()
    assert {(one["client"], one["account"], one["user_id"]) for one in map(json.loads, lines)} == {
        ("shop", "main", "42"),
        ("shop", "second", "43"),
    }
    assert await logs_in(town, anna, account="main") == "42"
    assert await logs_in(town, anna, account="second") == "43"
