"""Nobody gets more than their share: not of guesses, of codes, of scans, nor of places to wait."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientResponse
from harness import ORIGIN, Page, World, basic, client, problem
from harness import world as make_world
from moments import NOON
from portal_client import bearer, go, led_from, link, visit
from sqlalchemy.engine import Engine

from sandbox.faults import Fault
from service import app_keys
from service.storage.embedded_valkey import valkey

MALLORY = {"X-Forwarded-For": "203.0.113.66"}
ANNA = {"X-Forwarded-For": "203.0.113.7"}
PROXIED = {"server": {"trusted_proxies": ["127.0.0.0/8"]}}


async def refused(response: ClientResponse, *, retry_after: str = "40") -> None:
    await problem(response, 429, "rate-limited")
    assert response.headers["Retry-After"] == retry_after


async def counted(world: World, limit: str) -> int:
    """Return how often the figures say that *limit* was met."""
    text = await (await world.call("GET", "/metrics")).text()
    lines = [line for line in text.splitlines() if line.startswith(f'scanbind_limited_total{{limit="{limit}"}}')]
    return int(float(lines[0].rpartition(" ")[2])) if lines else 0


# -- wrong passwords --------------------------------------------------------------------------------------------

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


async def test_whoever_holds_a_secret_goes_on_beside_a_neighbour_who_guesses(make: Any) -> None:
    """Red when `brute_force.counted` runs before every handler, or `auth.bearer` listens to the limits."""
    world = await make(limits={"failures_per_address": 2}, **PROXIED)
    page, here, unused = await world.login(), await visit(world), await link(world)
    for _ in range(3):
        await _wrong_password(world, page)
    assert (await page.raw(X_Forwarded_For=MALLORY["X-Forwarded-For"])).status == 200
    assert (await here.call(headers={**bearer(here.secret), **MALLORY})).status == 200
    assert (await here.call(headers={**here.cookie, "Sec-Fetch-Site": "same-origin", **MALLORY})).status == 200
    assert (await go(world, unused["token"], **MALLORY, **led_from(ORIGIN))).status == 303


async def test_who_guesses_right_is_not_counted(make: Any) -> None:
    """Red when `auth.back_end` counts before it knows whether the password is right."""
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


async def test_behind_a_proxy_that_names_nobody_nobody_is_refused_for_another(make: Any) -> None:
    """Red when `auth.stranger` counts this machine's own addresses."""
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


# -- codes ------------------------------------------------------------------------------------------------------


async def test_a_user_gets_so_many_fresh_codes_from_the_back_end_and_the_portal_together(make: Any) -> None:
    """Red when `TicketIssuer.bind` does not ask `RateLimits.fresh_bind`."""
    world = await make(limits={"tickets_per_user": 3})
    for session in ("a", "b"):
        assert (await world.bind("42", session=session)).status == 201
    here = await visit(world, "42")
    assert (await here.bind()).status == 201
    for _ in range(3):
        assert (await here.bind()).status == 200, "the same again costs nothing"
        assert (await world.bind("42", session="a")).status == 200
    body = {"purpose": "bind", "user_id": "42", "session": "a", "refresh": True}
    await refused(await world.site("POST", "/v1/tickets", body))
    assert (await world.bind("42", session="a")).status == 200, "the one there is goes on"
    assert (await world.bind("43")).status == 201
    assert await counted(world, "tickets_per_user") == 1


# -- scans ------------------------------------------------------------------------------------------------------


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is sent to SQL."""
    sent: list[str] = []

    def collect(_: Any, __: Any, statement: str, *more: Any) -> None:
        sent.append(statement)

    sa.event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield sent
    finally:
        sa.event.remove(Engine, "before_cursor_execute", collect)


async def settled(sent: list[str]) -> None:
    """Wait until WeChat has told of the person and that is kept: nothing is written beside the pushes then."""
    async with asyncio.timeout(10):
        while not any(one.startswith("UPDATE followers") and "asked_at" in one for one in sent):
            await asyncio.sleep(0.01)


async def test_who_scans_too_often_changes_nothing_costs_no_sql_and_is_told_once(make: Any) -> None:
    """Red when `PushDispatcher.handle` does not ask `RateLimits.scan`."""
    world = await make(limits={"scans_per_openid": 2})
    pages = [await world.login() for _ in range(6)]
    with statements() as sent:
        mallory = await world.person()
        await settled(sent)
        for page in pages[:2]:
            assert "sign" in (await world.scan(mallory, page) or "")
        sent.clear()
        said = await world.scan(mallory, pages[2])
        assert "操作过于频繁" in (said or "")
        assert "Too many attempts" in (said or "")
        for page in pages[3:]:
            assert await world.scan(mallory, page) is None
            assert world.sandbox.deliveries[-1].state == "answered"
        # But for the record: its lines are gathered, and written beside the pushes.
        assert [one for one in sent if not one.startswith("INSERT INTO audit")] == []
    assert [(await page.poll())["status"] for page in pages[2:]] == ["pending"] * 4
    assert await counted(world, "scans_per_openid") == 4
    assert "sign" in (await world.scan(await world.person(), pages[2]) or ""), "others may"


async def test_who_answers_too_often_is_not_heard(make: Any) -> None:
    """Red when `PushDispatcher._excess` knows scans alone."""
    world = await make(limits={"scans_per_openid": 3}, clients={"shop": client("shop", confirm="tap")})
    person, page = await world.person(), await world.login()
    await world.scan(person, page)
    for _ in range(2):
        await world.say(person, "12")
    for _ in range(5):
        assert await world.say(person, "hello") is None, "what could be no answer is not counted"
    assert "Too many attempts" in (await world.say(person, "是我，继续") or await world.say(person, "12") or "")
    assert (await page.poll())["status"] == "scanned"


async def test_a_code_is_scanned_so_often_whoever_does_it(make: Any) -> None:
    """Red when `RateLimits.scan` counts no tickets."""
    world = await make(limits={"scans_per_ticket": 2})
    page, other, people = await world.login(), await world.login(), [await world.person() for _ in range(4)]
    said = [await world.scan(person, page) for person in people]
    assert "sign" in (said[0] or "")
    assert "Another person" in (said[1] or "")
    assert "Too many attempts" in (said[2] or "")
    assert said[3] is None
    assert await world.scan(people[3], other)
    assert await counted(world, "scans_per_ticket") == 2


async def test_a_redelivery_is_not_counted_again_and_gets_the_same_reply(make: Any) -> None:
    """Red when `PushDispatcher.handle` counts before it recalls."""
    world = await make(limits={"scans_per_openid": 2})
    person = await world.person()
    for _ in range(2):
        scan = await world.sandbox.scan(person, (await world.login()).made["qr_url"], fault=Fault.TWICE)
        assert "sign" in scan.delivery.reply
    scan = await world.sandbox.scan(person, (await world.login()).made["qr_url"], fault=Fault.TWICE)
    assert {"Too many attempts" in (attempt.reply or "") for attempt in scan.delivery.attempts} == {True}


async def test_whoever_leaves_is_heard_however_often_they_have_scanned(make: Any) -> None:
    """Red when `PushDispatcher._excess` counts everything."""
    world = await make(limits={"scans_per_openid": 1})
    person = await world.bound("42")
    assert "Too many attempts" in (await world.scan(person, await world.login()) or "")
    await world.sandbox.unfollow(person)
    assert await world.bindings("42") == []


# -- places to wait ---------------------------------------------------------------------------------------------


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
    """Red when `TimeoutServer.connection_lost` does not tell `WaitLimiter.gone`: each would wait 30 seconds."""
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
    """Red when `_refuse_body` returns at once: megabytes lie in buffers, and nobody sees the browser leave."""
    page = await world.login()
    waits = {"If-None-Match": (await page.raw()).headers["ETag"], "Prefer": "wait=30"}
    address = f"/v1/tickets/{page.id}{path}"
    async with asyncio.timeout(20):
        response = await world.call("GET", address, headers={**page.bearer, **waits}, data=b"x")
    await problem(response, 400, "invalid-request")
    assert world.app[app_keys.FEED].waiting == 0
