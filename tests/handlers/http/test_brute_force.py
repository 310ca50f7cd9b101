"""Wrong passwords lock out the address that sent them, for that client alone."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, Page, World, basic, problem
from harness import world as make_world
from limits import ANNA, MALLORY, PROXIED, counted, refused
from moments import NOON
from portal_client import bearer, go, led_from, link, visit

from service import app_keys
from service.storage.embedded_valkey import valkey

Guess = Callable[[World, Page], Awaitable[ClientResponse]]


async def _wrong_password(world: World, _: Page) -> ClientResponse:
    return await world.call("GET", "/v1/bindings/42", headers={**basic(secret="guess"), **MALLORY})


async def _wrong_password_beside_an_origin(world: World, _: Page) -> ClientResponse:
    headers = {**basic(secret="guess"), "Origin": ORIGIN, **MALLORY}
    body = {"purpose": "login", "client_id": "shop"}
    return await world.call("POST", "/v1/tickets", json=body, headers=headers)


async def _no_password(world: World, _: Page) -> ClientResponse:
    return await world.call("POST", "/v1/exchange", headers={**basic(secret=""), **MALLORY})


async def _right(world: World, *, at: dict[str, str], client: str = "shop") -> ClientResponse:
    return await world.call("GET", "/v1/bindings/42", headers={**basic(client), **at})


@pytest.mark.parametrize(
    "guess",
    [_wrong_password, _wrong_password_beside_an_origin, _no_password],
    ids=lambda guess: guess.__name__.strip("_"),
)
async def test_after_too_many_wrong_passwords_of_a_client_not_even_the_right_one_is_taken_from_there(
    make: Any, minute: SimpleNamespace, guess: Guess
) -> None:
    """Red when `RateLimits.check_blocked` returns at once, or `brute_force.counted` counts no WrongCredentials."""
    world = await make(limits={"failures_per_address": 3}, **PROXIED)
    page = await world.login()
    assert [(await guess(world, page)).status for _ in range(3)] == [401] * 3
    await refused(await guess(world, page))
    await refused(await _right(world, at=MALLORY))
    assert await counted(world, "failures_per_address") == 2
    assert (await _right(world, at=ANNA)).status == 200, "from other addresses it is"
    assert (await world.call("GET", "/livez", headers=MALLORY)).status == 200, "where nothing is proved"
    minute.now = NOON + 60
    assert (await _right(world, at=MALLORY)).status == 200


async def test_wrong_passwords_of_one_client_close_no_other_out_of_the_same_address(make: Any) -> None:
    """Red when `RateLimits.record_failure` counts by the address alone, or `_suspect` keeps it alone."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page = await world.login()
    for _ in range(5):
        await _wrong_password(world, page)
    await refused(await _right(world, at=MALLORY))
    assert (await _right(world, at=MALLORY, client="club")).status == 200
    wrong = await world.call("GET", "/v1/bindings/42", headers={**basic("club", "guess"), **MALLORY})
    assert wrong.status == 401
    assert (await _right(world, at=MALLORY, client="club")).status == 200, "one of its two guesses is left"


async def test_an_ipv6_subscriber_guesses_from_all_their_addresses_together(make: Any) -> None:
    """Red when `RateLimits.record_failure` counts the very address and not its shares."""
    world = await make(limits={"failures_per_address": 3}, **PROXIED)
    for last in range(1, 4):
        headers = {**basic(secret="guess"), "X-Forwarded-For": f"2001:db8:1:2::{last}"}
        assert (await world.call("GET", "/v1/bindings/42", headers=headers)).status == 401
    await refused(await _right(world, at={"X-Forwarded-For": "2001:db8:1:2::ffff"}))
    assert (await _right(world, at={"X-Forwarded-For": "2001:db8:1:3::1"})).status == 200


async def _unknown_client(world: World, _: Page) -> ClientResponse:
    headers = {"Authorization": f"Basic {b64encode(b'nobody:guess').decode()}", **MALLORY}
    return await world.call("GET", "/v1/bindings/42", headers=headers)


async def _unreadable_password(world: World, _: Page) -> ClientResponse:
    return await world.call("GET", "/v1/bindings/42", headers={"Authorization": "Basic !", **MALLORY})


async def _wrong_ticket_secret(world: World, page: Page) -> ClientResponse:
    return await world.call("GET", f"/v1/tickets/{page.id}", headers={**bearer("guess"), **MALLORY})


async def _unknown_ticket(world: World, page: Page) -> ClientResponse:
    headers = {**page.bearer, **MALLORY}
    return await world.call("DELETE", f"/v1/tickets/{page.id[::-1]}", headers=headers)


async def _password_for_a_ticket(world: World, page: Page) -> ClientResponse:
    return await world.call("GET", f"/v1/tickets/{page.id}", headers={**basic(secret="guess"), **MALLORY})


async def _wrong_session_secret(world: World, _: Page) -> ClientResponse:
    session = (await link(world))["token"].partition(".")[0]
    return await world.call("GET", f"/v1/portal-sessions/{session}", headers={**bearer("guess"), **MALLORY})


async def _wrong_cookie(world: World, _: Page) -> ClientResponse:
    session = (await link(world))["token"].partition(".")[0]
    headers = {"Cookie": f"scanbind_portal_{session}=guess", "Sec-Fetch-Site": "same-origin", **MALLORY}
    return await world.call("GET", f"/v1/portal-sessions/{session}", headers=headers)


async def _wrong_token(world: World, _: Page) -> ClientResponse:
    session = (await link(world))["token"].partition(".")[0]
    headers = {**bearer(f"{session}.guess"), **MALLORY}
    return await world.call("POST", f"/v1/portal-sessions/{session}/open", headers=headers)


async def _wrong_link(world: World, _: Page) -> ClientResponse:
    session = (await link(world))["token"].partition(".")[0]
    return await world.call("GET", f"/portal/open/{session}.guess", headers=MALLORY)


async def _no_link_at_all(world: World, _: Page) -> ClientResponse:
    return await world.call("GET", "/portal/open/a.b", headers=MALLORY)


async def _invented_code(world: World, _: Page) -> ClientResponse:
    how = {"json": {"code": "invented"}, "headers": {**basic(), **MALLORY}}
    return await world.call("POST", "/v1/exchange", **how)


async def _no_credentials(world: World, _: Page) -> ClientResponse:
    return await world.call("GET", "/v1/bindings/42", headers=MALLORY)


@pytest.mark.parametrize(
    "junk",
    [
        _unknown_client, _unreadable_password, _wrong_ticket_secret, _unknown_ticket, _password_for_a_ticket,
        _wrong_session_secret, _wrong_cookie, _wrong_token, _wrong_link, _no_link_at_all, _invented_code,
        _no_credentials,
    ],
    ids=lambda junk: junk.__name__.strip("_"),
)  # fmt: skip
async def test_what_is_no_password_of_a_client_closes_nothing_and_is_kept_nowhere(make: Any, junk: Guess) -> None:
    """Red for each kind when `brute_force.counted` counts its error as well: 120 wrong links, which a visitor can
    have sent from the back end's address, closed the site out."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page = await world.login()
    told = {(await junk(world, page)).status for _ in range(5)}
    assert len(told) == 1, "the same answer however often"
    assert told <= {400, 401, 404}
    assert (await _right(world, at=MALLORY)).status == 200
    assert [key async for key in world.redis.scan_iter("scanbind:l:failures*")] == []
    assert not world.app[app_keys.RATE_LIMITS]._suspects


async def test_an_unknown_client_is_refused_as_a_known_one_is(make: Any) -> None:
    """Red when an unknown client id has words of its own, or Redis is not asked for one: that would be faster."""
    world = await make(**PROXIED)
    page = await world.login()
    asked = (await world.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    told = []
    for guess in (_wrong_password, _unknown_client):
        response = await guess(world, page)
        told.append(
            (response.status, {**await response.json(), "instance": ""}, response.headers["WWW-Authenticate"])
        )
        now = (await world.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        assert now == asked + 1
        asked = now
    assert told[0] == told[1]


async def test_holders_of_a_secret_are_not_refused_beside_guesses_from_the_same_address(make: Any) -> None:
    """Red when `brute_force.counted` runs before every handler, or `bearer` asks the limits."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page, here, unused = await world.login(), await visit(world), await link(world)
    for _ in range(3):
        await _wrong_password(world, page)
    assert (await page.raw(X_Forwarded_For=MALLORY["X-Forwarded-For"])).status == 200
    assert (await here.call(headers={**bearer(here.secret), **MALLORY})).status == 200
    assert (await here.call(headers={**here.cookie, "Sec-Fetch-Site": "same-origin", **MALLORY})).status == 200
    assert (await go(world, unused["token"], **MALLORY, **led_from(ORIGIN))).status == 303


async def test_who_guesses_right_is_not_counted(make: Any) -> None:
    """Red when `require_client` counts before the password is checked."""
    world = await make(limits={"failures_per_address": 3}, **PROXIED)
    page, here = await world.login(), await visit(world)
    for _ in range(5):
        assert (await page.raw(X_Forwarded_For="203.0.113.66")).status == 200
        assert (await here.call(headers={**bearer(here.secret), **MALLORY})).status == 200
        assert (await _right(world, at=MALLORY)).status == 200
    assert not [key async for key in world.redis.scan_iter("scanbind:l:failures*")]


async def test_who_asks_for_a_ticket_of_theirs_that_is_long_over_closes_nothing(make: Any) -> None:
    """Red when `brute_force.counted` counts TicketNotFound: pages left open would shut out their address."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page = await world.login()
    world.clock.advance(300 + 121)
    for _ in range(5):
        await problem(await page.raw(X_Forwarded_For=MALLORY["X-Forwarded-For"]), 404, "ticket-not-found")
    assert (await _right(world, at=MALLORY)).status == 200


async def test_behind_a_proxy_without_client_addresses_wrong_passwords_are_not_counted(make: Any) -> None:
    """Red when `throttle_address` returns this machine's own addresses."""
    world = await make(limits={"failures_per_address": 2})
    for _ in range(5):
        assert (await world.call("GET", "/v1/bindings/42", headers=basic(secret="guess"))).status == 401
    assert (await _right(world, at={})).status == 200


async def test_a_visitor_with_invented_codes_cannot_shut_a_site_out(make: Any) -> None:
    """Red when `brute_force.counted` counts InvalidCode: a site passes on what its visitors send."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page = await world.login()
    for _ in range(5):
        await problem(await _invented_code(world, page), 400, "invalid-code")
    assert (await _right(world, at=MALLORY)).status == 200


async def test_without_redis_a_wrong_password_is_wrong_and_disconnecting_works(tmp_path: Path) -> None:
    """Red when `RateLimits._over` lets StoreUnavailable through."""
    async with AsyncExitStack() as stack, AsyncExitStack() as store:
        url = await store.enter_async_context(valkey(tmp_path))
        limit = {"failures_per_address": 2}
        world = await stack.enter_async_context(make_world(url, tmp_path, limits=limit, **PROXIED))
        await world.bound("42")
        page = await world.login()
        await store.aclose()
        for _ in range(4):
            await problem(await _wrong_password(world, page), 401, "unauthorized")
            await problem(await _wrong_ticket_secret(world, page), 404, "ticket-not-found")
        response = await world.call("DELETE", "/v1/bindings/42", headers={**basic(), **MALLORY})
        assert response.status == 204
        body = {"purpose": "login", "client_id": "shop"}
        started = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
        await problem(started, 503, "store-unavailable")
