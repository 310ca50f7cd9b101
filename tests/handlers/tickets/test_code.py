"""The QR code of a ticket, for a page that has only its ticket and secret."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from harness import ORIGIN, Page, World, problem

from models.ticket import TicketId
from service import app_keys

SAME = (
    "ticket",
    "purpose",
    "method",
    "methods",
    "qr_url",
    "open_url",
    "passcode",
    "send_to",
    "authorize_url",
    "panel",
    "expires_at",
)


async def code(page: Page, **headers: str) -> dict[str, Any]:
    response = await page.raw(suffix="/code", **headers)
    assert response.status == 200, await response.text()
    assert response.headers["Cache-Control"] == "no-store"
    return dict(await response.json())


@pytest.mark.parametrize("make_one", ["bind", "login"])
async def test_the_code_is_what_the_ticket_was_made_with(world: World, make_one: str) -> None:
    world.clock.hold()
    page = await world.bind("42") if make_one == "bind" else await backend_login(world)
    world.clock.advance(2)
    told = await code(page, Origin=ORIGIN)
    assert {name: told[name] for name in SAME} == {name: page.made[name] for name in SAME}
    assert told.keys() == {*SAME, "qr_svg", "qr_png", "expires_in"}
    assert page.made["expires_in"] - told["expires_in"] == 2
    for path, kind in (("qr_svg", "image/svg+xml"), ("qr_png", "image/png")):
        picture = await world.call("GET", told[path])
        assert (picture.status, picture.content_type) == (200, kind)


async def backend_login(world: World) -> Page:
    response = await world.site("POST", "/v1/tickets", {"purpose": "login"})
    return Page(world, await response.json(), response.status)


async def forget(world: World, page: Page) -> None:
    """Empty Redis, and wait until the process remembers the ticket no more: its feed is connected anew."""
    await world.redis.flushall()
    await world.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    async with asyncio.timeout(20):
        while world.app[app_keys.FEED].cached(page.id):
            await asyncio.sleep(0.01)


async def test_it_can_be_scanned(world: World) -> None:
    page = await world.bind("42")
    told = await code(page)
    await world.sandbox.scan(await world.person(), told["qr_url"])
    assert (await page.until("confirmed"))["outcome"] == "bound"


async def test_the_clients_pages_may_read_it(world: World) -> None:
    page = await world.bind("42")
    response = await page.raw(suffix="/code", Origin=ORIGIN)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    preflight = await world.call("OPTIONS", f"/v1/tickets/{page.id}/code", headers=asked)
    assert preflight.status == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    elsewhere = await page.raw(suffix="/code", Origin="https://elsewhere.example")
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


async def test_a_wrong_secret_is_as_good_as_no_ticket(world: World) -> None:
    page, other = await world.bind("42"), await world.bind("7")
    address = f"/v1/tickets/{page.id}/code"
    await problem(await world.call("GET", address, headers=other.bearer), 404, "ticket-not-found")
    await problem(await world.call("GET", address, headers={"Authorization": "Bearer x"}), 404, "ticket-not-found")
    await problem(await world.call("GET", address), 401, "unauthorized")
    unknown = replace(page, made={**page.made, "ticket": TicketId("A" * 28)})
    await problem(await unknown.raw(suffix="/code"), 404, "ticket-not-found")


async def test_a_code_that_is_over_is_not_given(world: World) -> None:
    world.clock.hold()
    page = await world.bind("42")
    world.clock.advance(page.made["expires_in"] - 3)
    assert (await code(page))["expires_in"] == 3
    world.clock.advance(4)
    await problem(await page.raw(suffix="/code"), 404, "not-found")


@pytest.mark.parametrize("make_one", ["bind", "login"])
@pytest.mark.parametrize("end", ["cancelled", "confirmed"])
async def test_the_code_of_an_ended_ticket_is_given_until_it_expires(
    world: World, make_one: str, end: str
) -> None:
    world.clock.hold()
    page = await world.bind("42") if make_one == "bind" else await backend_login(world)
    if end == "cancelled":
        await page.raw("DELETE")
    else:
        await world.scan(await world.person(), page)
    assert (await page.poll())["status"] == end
    assert (await code(page))["qr_url"] == page.made["qr_url"]
    world.clock.advance(page.made["expires_in"] + 1)
    refused = await problem(await page.raw(suffix="/code"), 404, "not-found")
    assert refused["detail"].startswith("the ticket has expired")


async def test_a_page_that_started_a_login_has_its_code_already(world: World) -> None:
    page = await world.login()
    await problem(await page.raw(suffix="/code"), 404, "not-found")


async def test_the_code_of_a_login_is_forgotten_with_redis(world: World) -> None:
    page = await backend_login(world)
    await code(page)
    await forget(world, page)
    await problem(await page.raw(suffix="/code"), 404, "not-found")


async def test_the_code_of_a_binding_outlives_redis(world: World) -> None:
    page = await world.bind("42")
    before = await code(page)
    await forget(world, page)
    assert (await code(page))["qr_url"] == before["qr_url"]
