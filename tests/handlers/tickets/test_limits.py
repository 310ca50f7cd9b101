"""Limits of logins that pages start, and the address that is counted."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, SECRETS, World, basic, client, problem
from moments import NOON


async def start(world: World, *forwarded: str, name: str = "shop") -> ClientResponse:
    headers = [("Origin", ORIGIN), *(("X-Forwarded-For", one) for one in forwarded)]
    return await world.call("POST", "/v1/tickets", json={"purpose": "login", "client_id": name}, headers=headers)


def limited(address: int, per_client: int = 0, **server: Any) -> dict[str, Any]:
    return {"limits": {"tickets_per_address": address, "tickets_per_client": per_client}, **server}


async def test_an_address_has_so_many_logins_a_minute(make: Any, minute: SimpleNamespace) -> None:
    world = await make(**limited(2))
    assert [(await start(world)).status for _ in range(3)] == [201, 201, 429]
    response = await start(world, name="club")  # an address is limited for all clients together
    await problem(response, 429, "rate-limited")
    assert response.headers["Retry-After"] == "40"
    assert len(world.sandbox.codes()) == 2
    minute.now = NOON + 60
    assert (await start(world)).status == 201


async def test_a_client_has_so_many_logins_a_minute_from_all_addresses(make: Any) -> None:
    world = await make(**limited(0, 2))
    assert [(await start(world)).status for _ in range(3)] == [201, 201, 429]
    assert (await start(world, name="club")).status == 201


async def test_back_ends_are_not_limited(make: Any) -> None:
    world = await make(**limited(1, 1))
    await start(world)
    assert (await start(world)).status == 429
    for body in ({"purpose": "login"}, {"purpose": "bind", "user_id": "42"}):
        for _ in range(3):
            assert (await world.site("POST", "/v1/tickets", body)).status in (200, 201)
    both = {**basic(), "Origin": ORIGIN}
    assert (await world.call("POST", "/v1/tickets", json={"purpose": "login"}, headers=both)).status == 201


async def test_what_is_refused_otherwise_is_not_counted_for_a_client(make: Any) -> None:
    world = await make(**limited(0, 1))
    for headers in ({"Origin": "https://elsewhere.example"}, {}, basic(secret="wrong")):
        body = {"purpose": "login", "client_id": "shop"}
        assert (await world.call("POST", "/v1/tickets", json=body, headers=headers)).status in (401, 403)
    assert (await start(world)).status == 201


async def test_zero_is_no_limit(make: Any) -> None:
    world = await make(**limited(0))
    assert {(await start(world)).status for _ in range(40)} == {201}


async def test_a_forwarded_address_counts_only_from_a_trusted_proxy(make: Any) -> None:
    world = await make(**limited(1))
    assert (await start(world, "203.0.113.1")).status == 201
    assert (await start(world, "203.0.113.2")).status == 429


async def proxied(make: Any, *, per_address: int = 1) -> World:
    world: World = await make(**limited(per_address), server={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]})
    return world


async def test_a_trusted_proxy_names_the_address(make: Any) -> None:
    world = await proxied(make)
    assert (await start(world, "203.0.113.1")).status == 201
    assert (await start(world, "203.0.113.2")).status == 201
    assert (await start(world, "203.0.113.1")).status == 429
    assert (await start(world, " 203.0.113.2 ")).status == 429


async def test_only_what_trusted_proxies_wrote_is_believed(make: Any) -> None:
    world = await proxied(make)
    assert (await start(world, "203.0.113.1")).status == 201
    for forged in ("198.51.100.1, 203.0.113.1", "8.8.8.8,203.0.113.1, 10.0.0.5", "unknown, 203.0.113.1"):
        assert (await start(world, forged)).status == 429, forged
    assert (await start(world, "198.51.100.7", "203.0.113.1")).status == 429  # as two headers
    assert (await start(world, "203.0.113.9, 203.0.113.2")).status == 201
    assert (await start(world, "203.0.113.2")).status == 429


async def test_an_ipv6_subscriber_is_one_whichever_address_they_use(make: Any) -> None:
    world = await proxied(make)
    assert (await start(world, "2001:db8:1:2::1")).status == 201
    assert (await start(world, "2001:DB8:1:2:ffff:ffff:ffff:ffff")).status == 429
    assert (await start(world, "2001:db8:1:3::1")).status == 201


async def test_an_ipv4_address_is_the_same_when_it_is_mapped_and_not_all_of_them_are_one(make: Any) -> None:
    world = await proxied(make)
    assert (await start(world, "::ffff:203.0.113.1")).status == 201
    assert (await start(world, "::ffff:203.0.113.2")).status == 201
    assert (await start(world, "203.0.113.1")).status == 429


async def test_garbage_in_place_of_an_address_is_still_counted(make: Any) -> None:
    world = await proxied(make)
    assert (await start(world, "unknown")).status == 201
    for garbage in ("unknown", "x" * 4000, "\xe9", "", "203.0.113.1:https"):
        assert (await start(world, garbage)).status == 429, garbage  # as the proxy itself
    assert [(await start(world, "fe80::1%eth0")).status for _ in range(2)] == [201, 429]


async def test_each_visitor_is_counted_however_the_proxy_writes_the_address(make: Any) -> None:
    world = await proxied(make)
    forms = [
        "{}",
        "{}:443",
        '"{}"',
        '"{}:443"',
        "{}:_x, 127.0.0.9:5555",
        "::ffff:{}",
        "[::ffff:{}]:80",
        "198.51.100.7, {}:1",
    ]
    for n, form in enumerate(forms):
        statuses = [(await start(world, form.format(f"203.0.113.{n}"))).status for _ in range(2)]
        assert statuses == [201, 429], form
    forms = ["{}", "[{}]", "[{}]:443", '"[{}]:443"', "[{}%25eth0]:443", "[{}]:443, [::ffff:10.0.0.1]:80"]
    for n, form in enumerate(forms):
        statuses = [(await start(world, form.format(f"2001:db8:{n}::1"))).status for _ in range(2)]
        assert statuses == [201, 429], form


@pytest.mark.parametrize("told", ["203.0.113.7", "203.0.113.7:50007"])
async def test_the_chat_names_the_browser_and_the_address_that_a_trusted_proxy_tells(make: Any, told: str) -> None:
    asks = {name: client(name, confirm="tap") for name in SECRETS}
    world = await make(clients=asks, server={"trusted_proxies": ["127.0.0.1/32"]})
    body = {"purpose": "login", "client_id": "shop"}
    agent = "Mozilla/5.0 (Windows NT 10.0) <a href='https://evil.example'>Firefox/140.0</a>"
    headers = {"Origin": ORIGIN, "X-Forwarded-For": told, "User-Agent": agent}
    made = await (await world.call("POST", "/v1/tickets", json=body, headers=headers)).json()
    person = await world.person()
    chat = (await world.sandbox.scan(person, made["qr_url"])).delivery.reply
    assert "Firefox · Windows" in chat
    assert "203.0.113.7" in chat
    assert "50007" not in chat
    assert "evil" not in chat
