"""Pages and sites reach the service through nginx, Apache httpd and Caddy, which compress or not.

Red when the stream is sent without `X-Accel-Buffering: no` (nginx), when marked ETags match nothing (Apache), and
when `nocanon` or `X-Forwarded-For` is missing in docs/operations.md.
"""

import asyncio
import base64
import hashlib
import time
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, TCPConnector
from harness import ORIGIN, World
from streams import event, stream

from handlers.assets import SCRIPTS

SOON = 5
"""Seconds within which an event must arrive that is not held back; proxies hold one back for 15 or more."""


async def test_events_arrive_when_they_happen(behind: World) -> None:
    page, person = await behind.login(), await behind.person()
    async with asyncio.timeout(SOON), stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await behind.scan(person, page)
        assert (await event(response))["data"]["status"] == "confirmed"


async def test_long_polls_wait_and_a_loop_of_them_does_not_spin(behind: World) -> None:
    page = await behind.login()
    tag = (await page.raw()).headers["ETag"]
    began = time.monotonic()
    for _ in range(2):
        response = await page.raw(If_None_Match=tag, Prefer="wait=1")
        assert response.status == 304
        tag = response.headers.get("ETag", tag)
    assert time.monotonic() - began > 1.8
    held = asyncio.create_task(page.raw(If_None_Match=tag, Prefer="wait=30"))
    await asyncio.wait([held], timeout=0.2)
    assert not held.done()
    await behind.scan(await behind.person(), page)
    assert (await (await asyncio.wait_for(held, SOON)).json())["status"] == "confirmed"


async def start(behind: World, address: str, **headers: str) -> int:
    """Start a login from another address of this machine; return the status."""
    body = {"purpose": "login", "client_id": "shop"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connector = TCPConnector(local_addr=(address, 0))
    async with (
        ClientSession(connector=connector) as http,
        http.post(f"{behind.url}/v1/tickets", json=body, headers={"Origin": ORIGIN, **named}) as response,
    ):
        return response.status


async def test_each_visitor_is_counted_by_their_own_address(behind: World) -> None:
    assert [await start(behind, "127.0.0.7") for _ in range(3)] == [201, 201, 429]
    assert await start(behind, "127.0.0.7", X_Forwarded_For="203.0.113.1", Forwarded="for=203.0.113.2") == 429
    assert await start(behind, "127.0.0.8", X_Forwarded_For='127.0.0.7, "') == 201


async def test_pages_of_other_origins_and_back_ends_are_served(behind: World) -> None:
    wanted = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,prefer"}
    page = await behind.login()
    address = f"/v1/tickets/{page.id}"
    preflight = await behind.call("OPTIONS", address, headers={"Origin": ORIGIN, **wanted})
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert "Prefer" in preflight.headers["Access-Control-Allow-Headers"]
    assert (await page.raw(Origin=ORIGIN)).headers["Access-Control-Allow-Origin"] == ORIGIN
    for picture in ("qr_svg", "qr_png"):
        assert (await behind.call("GET", page.made[picture])).status == 200
    for user in ("a/b", "张 三", "50%", "a?b#c"):
        answer = await behind.site("GET", f"/v1/bindings/{quote(user, safe='')}")
        assert (await answer.json())["user_id"] == user


@pytest.mark.parametrize("accepted", ["gzip, br, zstd", "gzip", "identity"])
async def test_scripts_arrive_with_their_integrity_hash(behind: World, accepted: str) -> None:
    script = SCRIPTS["widget"]
    headers = {"Accept-Encoding": accepted, "Origin": ORIGIN}
    response = await behind.call("GET", f"/widget-{script.version}.js", headers=headers)
    digest = hashlib.sha384(await response.read()).digest()
    assert "sha384-" + base64.b64encode(digest).decode() == script.integrity
    known = {**headers, "If-None-Match": response.headers["ETag"]}
    assert (await behind.call("GET", f"/widget-{script.version}.js", headers=known)).status == 304
