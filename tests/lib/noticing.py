"""Worlds whose shop tells people of changes of their bindings, and what they are told and do then."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from aiohttp import ClientResponse
from harness import ACCOUNT, WEBSITE, World, client
from redirecting import BACK, WEBSITE_LOGIN
from wechat_browser import browsing

from models.outbox import NOTICES, State
from models.tables.outbox import outbox
from sandbox.people import Person
from service.app_keys import SENDER

TOKEN = re.compile(r'name="token" value="([^"]+)"')


async def noticing(
    make: Callable[..., Any],
    *,
    others: dict[str, Any] | None = None,
    limits: dict[str, int] | None = None,
    unfollow: str = "erase",
    **changes: Any,
) -> World:
    """Start a world whose shop has an account and a website application of one Open Platform account."""
    ways = {"apps": ["site"], "methods": ["scan", "website"], "return_urls": [BACK], "notices": True}
    clients = {"shop": client("shop", **ways, **changes), **(others or {})}
    official = {"main": replace(ACCOUNT, open_platform="acme")}
    joined = {"main": {"open_platform": "acme", "unfollow": unfollow}}
    world: World = await make(
        official=official, accounts=joined, apps={"site": WEBSITE}, clients=clients, limits=limits or {}
    )
    return world


async def signed_in(world: World, person: Person) -> dict[str, Any]:
    """Log in at the website with the person's WeChat; return what the exchange tells."""
    page = await world.login(method="website", return_url=BACK, state="s")
    async with browsing(world) as browser:
        code = (await WEBSITE_LOGIN.sign_in(browser, page, person)).answer["code"]
    return dict(await (await world.exchange(code)).json())


async def signed_up(world: World, person: Person, user_id: str = "42") -> None:
    """Register a new user at the website, with the person's WeChat."""
    body = {"user_id": user_id, "registration": (await signed_in(world, person))["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201


async def known_follower(world: World, **about: Any) -> Person:
    """Return a person who follows the account, and whose unionid the service knows; they followed a moment ago."""
    person = await world.person(unionid=f"u-{len(world.people)}", **about)
    async with asyncio.timeout(30):
        while await _unjoined(world):
            await asyncio.sleep(0.01)
    return person


async def notices(
    world: World, count: int, *, states: Sequence[State] = (State.DELIVERED, State.DEAD), tries: int = 1
) -> list[tuple[State, str | None, int]]:
    """Wait until *count* notices were tried so often and are in one of *states*; return state, fault and tries."""
    columns = outbox.c
    query = sa.select(columns.state, columns.fault, columns.tries).where(columns.target.startswith(NOTICES))
    async with asyncio.timeout(30):
        while True:
            rows = await world.app[SENDER].database.read(lambda it: it.execute(query.order_by(columns.id)).all())
            found = [tuple(row) for row in rows if row.state in states and row.tries >= tries]
            if len(found) >= count:
                assert len(found) == count, rows
                return found
            await asyncio.sleep(0.01)


def wake(world: World) -> None:
    """Let the sender look at once, as after a commit."""
    world.app[SENDER].outbox.wake()


async def said(world: World, person: Person) -> list[str]:
    """Return what the account wrote into the person's chat, oldest first."""
    return [it.text for it in await world.sandbox.chat(person) if it.side == "account"]


async def link(world: World, person: Person) -> str:
    """Return the path of the address in the last message of the account."""
    [href] = [it.href for it in (await world.sandbox.chat(person))[-1].pieces if it.href]
    assert href.startswith(f"{world.url}/undo/")
    return href.removeprefix(world.url)


async def noticed(world: World) -> tuple[Person, str]:
    """Return a person whose WeChat was bound to user 42 at the website, and the path in their notice."""
    person = await known_follower(world)
    await signed_up(world, person)
    await notices(world, 1)
    return person, await link(world, person)


async def press(
    world: World, path: str, *, token: str | None = None, headers: Mapping[str, str] | None = None
) -> ClientResponse:
    """Open the page, and send its form or another *token*; with other *headers* than a browser's."""
    if token is None:
        token = TOKEN.findall(await (await world.call("GET", path)).text())[0]
    sent = {"Origin": world.url, "Sec-Fetch-Site": "same-origin"} if headers is None else headers
    return await world.call("POST", path, data={"token": token}, headers=sent, allow_redirects=False)


async def page(world: World, path: str, **headers: str) -> tuple[int, str]:
    """Return the status of a page, and its kind."""
    response = await world.call("GET", path, headers=headers)
    return response.status, re.findall(r'data-testid="sign-in-([a-z-]+)"', await response.text())[0]


async def _unjoined(world: World) -> int:
    query = sa.text("SELECT count(*) FROM followers WHERE person_id IS NULL AND account = 'main'")
    count: int = await world.app[SENDER].database.read(lambda connection: connection.scalar(query))
    return count
