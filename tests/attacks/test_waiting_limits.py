"""An address and a process have limits of waiting pages, and pages that left free their places."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import World, problem
from limits import MALLORY, PROXIED, counted, refused

from service import app_keys


@pytest.fixture
async def crowd(make: Any) -> AsyncIterator[tuple[World, Callable[..., Awaitable[ClientResponse]]]]:
    """Give a world where an address may have two browsers waiting, three in all; and a way to open streams."""
    world = await make(limits={"waiting_per_address": 2, "waiting": 3}, **PROXIED)
    opened: list[ClientResponse] = []

    async def stream(**address: str) -> ClientResponse:
        page = await world.login()
        headers = {**page.bearer, "X-Forwarded-For": address["at"]}
        opened.append(await world.http.get(f"{world.url}/v1/tickets/{page.id}/events", headers=headers))
        return opened[-1]

    yield world, stream
    for one in opened:
        one.close()


async def test_an_address_has_so_many_browsers_waiting_and_those_stay(
    crowd: tuple[World, Callable[..., Awaitable[ClientResponse]]],
) -> None:
    """Red when `WaitLimiter._slot` checks no address."""
    world, stream = crowd
    first, second = await stream(at="203.0.113.66"), await stream(at="203.0.113.66")
    third = await stream(at="203.0.113.66")
    await refused(third, retry_after="2")
    assert (await stream(at="203.0.113.7")).status == 200
    for one in (first, second):
        assert (await one.content.readline()).startswith(b"event: status")
    page = await world.login()
    tag = (await page.raw()).headers["ETag"]
    poll = await page.raw(If_None_Match=tag, Prefer="wait=30", X_Forwarded_For="203.0.113.66")
    await refused(poll, retry_after="2")
    short = await page.raw(If_None_Match=tag, X_Forwarded_For="203.0.113.66")
    assert short.status == 304, "who does not wait needs no place"


async def test_a_process_has_so_many_browsers_waiting_in_all(
    crowd: tuple[World, Callable[..., Awaitable[ClientResponse]]],
) -> None:
    """Red when `WaitLimiter._slot` does not look at its count."""
    world, stream = crowd
    assert [(await stream(at=f"203.0.113.{last}")).status for last in range(4)] == [200, 200, 200, 429]
    assert await counted(world, "waiting") == 1


async def test_a_held_poll_gives_its_place_back(make: Any) -> None:
    """Red when `Slot.__exit__` does nothing."""
    world = await make(limits={"waiting_per_address": 1}, **PROXIED)
    page = await world.login()
    how = {"If_None_Match": (await page.raw()).headers["ETag"], "X_Forwarded_For": "203.0.113.66"}
    for _ in range(3):
        assert (await page.raw(Prefer="wait=1", **how)).status == 304


async def test_browsers_that_left_hold_no_places(make: Any) -> None:
    """Red when `TimeoutServer` does not call `WaitLimiter.connection_lost`: each would wait 30 seconds."""
    world = await make(limits={"waiting_per_address": 2, "waiting": 3}, **PROXIED)
    page, feed = await world.login(), world.app[app_keys.FEED]
    tag = (await page.raw()).headers["ETag"]
    headers = {"Host": "x", **page.bearer, "If-None-Match": tag, "Prefer": "wait=30", **MALLORY}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    async with asyncio.timeout(20):
        for source in ("", "/events") * 4:
            _, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
            asked = [f"GET /v1/tickets/{page.id}{source} HTTP/1.1", *lines, "", ""]
            writer.write("\r\n".join(asked).encode())
            while not feed.waiting:
                await asyncio.sleep(0.01)
            writer.transport.abort()
        while feed.waiting:
            await asyncio.sleep(0.01)
    assert (await page.raw(If_None_Match=tag, Prefer="wait=1")).status == 304, "there is room for others"


@pytest.mark.parametrize("path", ["", "/events"])
async def test_who_waits_sends_no_body(world: World, path: str) -> None:
    """Red when `_refuse_body` returns at once: megabytes stay in buffers, and a disconnect goes unnoticed."""
    page = await world.login()
    waits = {"If-None-Match": (await page.raw()).headers["ETag"], "Prefer": "wait=30"}
    address = f"/v1/tickets/{page.id}{path}"
    async with asyncio.timeout(20):
        response = await world.call("GET", address, headers={**page.bearer, **waits}, data=b"x")
    await problem(response, 400, "invalid-request")
    assert world.app[app_keys.FEED].waiting == 0
