"""How the widget waits: what it asks, when it asks nothing, and that it is right again whatever happened."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from harness import ORIGIN, World, client
from harness import world as make_world
from pages import Site
from playwright.async_api import BrowserContext, Page, expect
from proxy import Proxy, Rule, cuts_off, followers_fail, no_streams, nothing_held, proxy, silent
from widget import HIDE, LOGIN, Begin, Console, Widget, confirm, in_time, opened, scan_newest, timed, until

from models.ticket import TicketId
from service import app_keys
from service.server.runner import Running, running
from service.storage.embedded_valkey import valkey

BIND = '<scanbind-qr purpose="bind" ticket="{ticket}" secret="{secret}"></scanbind-qr>'
LOST = "Failed to load resource"


@asynccontextmanager
async def serving(world: World, *, port: int = 0) -> AsyncIterator[Running]:
    """Run another process of the service, so to say, at a port of its own."""
    with socket.create_server(("127.0.0.1", port)) as sock:
        async with running(world.settings, sock=sock, clock=world.clock) as service:
            yield service


async def asked_during(between: Proxy, page: Page, seconds: float) -> set[str]:
    """Let *seconds* pass in the browser; return the addresses that it asked meanwhile."""
    before = len(between.asked)
    await page.clock.run_for(round(seconds * 1000))
    # What the page has begun to ask is answered before something that it asks afterwards.
    for _ in range(2):
        await page.evaluate("url => fetch(url, { mode: 'no-cors' }).then(() => null)", f"{between.url}/livez")
    return {one.path for one in between.asked[before:]} - {"/livez"}


# -- ways of waiting --


async def test_one_stream_is_all_that_waiting_takes(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    assert await asked_during(between, widget.page, 20) == set()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert [one.path.endswith("/events") for one in between.following()] == [True]
    await until(lambda: not between.holding)


@pytest.mark.parametrize("rule", [silent, no_streams])
async def test_where_no_stream_comes_through_polls_are_held(
    between: Proxy, town: World, site: Site, context: BrowserContext, *, console: Console, rule: Rule
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = rule
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()

    async def polls_are_held() -> bool:
        return any(one.held and not one.path.endswith("/events") for one in between.asked)

    await in_time(widget.page, polls_are_held, step=3)
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert "offline" not in await widget.statuses()


@pytest.mark.parametrize("rule", [nothing_held, cuts_off])
async def test_where_nothing_is_held_it_asks_now_and_then(
    between: Proxy, town: World, site: Site, context: BrowserContext, *, console: Console, rule: Rule
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = rule
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()

    async def only_plain_polls() -> bool:
        return len(between.following()) > 4 and not any(one.held for one in between.following()[-3:])

    await in_time(widget.page, only_plain_polls, step=3)
    anna = await town.person()
    await scan_newest(town, anna)
    await in_time(widget.page, widget.match.is_visible, step=3)
    await town.say(anna, await widget.number())
    await in_time(widget.page, lambda: widget.has("confirmed"), step=3)
    assert "offline" not in await widget.statuses()


# -- what goes wrong --


async def test_a_service_that_restarts_is_met_again(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST)
    anna = await town.person()
    async with serving(town) as service:
        site.service = f"http://127.0.0.1:{service.port}"
        widget = await timed(context, site.put(LOGIN))
        await widget.shows_a_code()
        await until(lambda: service.app[app_keys.FEED].waiting)
    await in_time(widget.page, lambda: widget.has("offline"), step=2)
    await expect(widget.qr).to_be_visible()
    await scan_newest(town, anna)  # another process took the push
    async with serving(town, port=service.port):
        await in_time(widget.page, widget.match.is_visible, step=2)
        await town.say(anna, await widget.number())
        await in_time(widget.page, lambda: widget.has("confirmed"), step=2)


async def test_a_redis_that_is_killed_costs_nothing_but_a_moment(
    tmp_path: Path, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST, "Access to fetch")
    shop = client("shop", origins=[site.origin, ORIGIN], confirm="match")
    async with valkey(tmp_path) as url, make_world(url, tmp_path, clients={"shop": shop}) as world:
        site.service = world.url
        widget = await opened(context, site.put(LOGIN))
        await widget.shows_a_code()
        await until(lambda: world.app[app_keys.FEED].waiting)
        os.kill((await world.redis.info("server"))["process_id"], signal.SIGKILL)
        await until(lambda: not world.app[app_keys.FEED].connected.is_set())
        await until(world.app[app_keys.FEED].connected.is_set)
        await confirm(world, await world.person(), widget)
        await widget.becomes("confirmed")


async def test_while_the_line_is_down_it_asks_ever_more_rarely(
    between: Proxy, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST, "Access to fetch")
    page = await context.new_page()
    await page.clock.install()
    await page.add_init_script("Math.random = () => 0")  # no jitter: each pause is nine tenths of what it may be
    await page.goto(site.put(LOGIN))
    widget = Widget(page)
    await widget.shows_a_code()
    await until(lambda: between.holding)
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 0.1"))
    between.rule = followers_fail
    between.cut()
    await until(lambda: console.faults)
    for number, pause in enumerate((0.9, 1.8, 3.6, 7.2, 14.4, 14.4), start=1):
        assert await asked_during(between, page, 0) == set()  # and the page has taken in that it failed
        assert await asked_during(between, page, pause - 0.15) == set()
        await page.clock.run_for(200)
        await until(lambda number=number: sum("Access to" in fault for fault in console.faults) == number)
    assert len(between.following()) == 7
    await widget.becomes("offline")
    await expect(widget.qr).to_be_visible()
    between.rule = None
    await page.clock.run_for(15_000)
    await widget.becomes("waiting")


async def test_a_code_ends_by_the_browsers_own_clock_while_the_service_is_away(
    between: Proxy, town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST, "Access to fetch")
    made = (await town.bind("42")).made
    widget = await timed(context, site.put(BIND.format_map(made)))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    between.rule = followers_fail
    between.cut()
    await in_time(widget.page, lambda: widget.has("offline"), step=2)
    await widget.page.clock.fast_forward(made["expires_in"] * 1000)
    await in_time(widget.page, lambda: widget.has("expired"), step=2)
    await expect(widget.qr).to_be_hidden()


async def test_too_many_codes_are_asked_for_again_when_the_service_says_so(
    begin: Begin, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST)
    world = await begin(limits={"tickets_per_address": 1})
    await world.login()
    async with proxy(world.url) as between:
        site.service = between.url
        widget = await timed(context, site.put(LOGIN))
        await widget.becomes("limited")
        await expect(widget.button).to_be_hidden()
        await world.redis.flushall()  # the next minute has begun
        assert await asked_during(between, widget.page, 38) == set()
        await widget.page.clock.run_for(5_000)
        await widget.shows_a_code()


async def test_a_line_that_comes_back_is_used_at_once(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST)
    anna = await town.person()
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await context.set_offline(offline=True)
    await widget.becomes("offline")
    await scan_newest(town, anna)
    await context.set_offline(offline=False)
    await town.say(anna, await widget.number())
    await widget.becomes("confirmed")


async def test_a_machine_that_slept_is_right_at_once(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    between.deaf = True  # the connection is dead, but nobody has noticed
    await scan_newest(town, anna)
    assert await asked_during(between, widget.page, 2) == set()
    between.deaf = False
    await widget.page.clock.fast_forward(20_000)  # less than the silence that makes a stream count as dead
    await widget.number()


# -- pages that nobody sees --


async def test_a_hidden_page_asks_for_nothing_and_is_right_when_it_is_seen_again(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    await widget.hide()
    await until(lambda: not between.holding)
    assert await asked_during(between, widget.page, 120) == set()
    await scan_newest(town, anna)
    await widget.hide(hidden=False)
    assert await widget.number()
    await widget.hide()
    town.clock.advance(400)
    assert await asked_during(between, widget.page, 400) == set()  # nor is there another code
    assert town.sandbox.codes() == []
    await widget.hide(hidden=False)
    await widget.has_had(2)
    await widget.shows_a_code()


async def test_a_page_opened_in_the_background_makes_no_code_before_it_is_seen(
    between: Proxy, site: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.clock.install()
    await page.add_init_script(f"({HIDE})(true)")
    await page.goto(site.put(LOGIN))
    widget = Widget(page)
    await widget.becomes("loading")
    assert await asked_during(between, page, 60) == set()
    await widget.hide(hidden=False)
    await widget.shows_a_code()


async def test_a_page_that_comes_back_from_the_cache_is_right_at_once(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    site.put("<p>Elsewhere</p>", path="/elsewhere", head="")
    widget = await opened(context, site.put(LOGIN))
    page = widget.page
    await page.evaluate("addEventListener('pageshow', (event) => (globalThis.kept = event.persisted))")
    await widget.shows_a_code()
    first = await widget.ticket()
    await until(lambda: between.holding)
    await page.goto(f"{site.origin}/elsewhere")
    await until(lambda: not between.holding)
    await scan_newest(town, anna)
    await page.go_back(wait_until="commit")
    number = await widget.number()
    assert await page.evaluate("globalThis.kept")
    assert await widget.ticket() == first
    await town.say(anna, number)
    await widget.becomes("confirmed")


async def test_a_widget_that_left_the_page_asks_for_nothing(
    between: Proxy, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    await widget.host.evaluate("one => one.remove()")
    await until(lambda: not between.holding)
    assert await asked_during(between, widget.page, 120) == set()


# -- many tabs --


async def test_ten_tabs_hold_one_connection_and_all_of_them_work(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    address = site.put(LOGIN)
    widgets = [await opened(context, address) for _ in range(10)]
    for widget in widgets:
        await widget.shows_a_code()
    await until(lambda: len(between.holding) == 1)
    people = {code.scene: await town.person() for code in town.sandbox.codes()}
    for scene, person in people.items():
        await town.sandbox.scan(person, scene)
    for widget in widgets:
        ticket = await widget.ticket()
        [person] = [one for scene, one in people.items() if scene.startswith(ticket)]
        await town.say(person, await widget.number())
    for widget in widgets:
        await widget.becomes("confirmed")
        await until(lambda: len(between.holding) <= 1)


async def test_tabs_that_show_the_same_code_let_one_of_them_listen(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    made = await town.bind("42")
    address = site.put(BIND.format_map(made.made))
    widgets = [await timed(context, address) for _ in range(10)]
    for widget in widgets:
        await widget.shows_a_code()
    await until(lambda: len(between.holding) == 1)
    for _ in range(15):
        assert await asked_during(between, widget.page, 1) == set()
    await town.scan(anna, made)
    for widget in widgets:
        await widget.number()
    await town.say(anna, await widget.number())
    for widget in widgets:
        await widget.becomes("confirmed")
    await until(lambda: not between.holding)


async def test_a_tab_that_listened_and_is_closed_hands_over(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    made = await town.bind("42")
    address = site.put(BIND.format_map(made.made))
    first, second = [await opened(context, address) for _ in range(2)]
    await first.shows_a_code()
    await second.shows_a_code()
    await until(lambda: len(between.holding) == 1)
    before = len(between.asked)
    await second.page.close()
    # Said by the one that goes; had the other to notice by itself, that would take ten seconds.
    await until(lambda: any(one.held for one in between.asked[before:]), within=8)
    await confirm(town, await town.person(), first)
    await first.becomes("confirmed")


# -- a service or a site that does not keep its word --


@pytest.mark.parametrize("wait", ["3000000", "-5", "soon", "0"])
async def test_no_retry_after_makes_a_storm_of_requests(
    between: Proxy, site: Site, context: BrowserContext, console: Console, wait: str
) -> None:
    console.expect(LOST)

    async def away(request: web.Request, _: Proxy) -> web.Response | None:
        if request.method != "GET" or not request.path.startswith("/v1/tickets"):
            return None
        headers = {
            "Access-Control-Allow-Origin": request.headers["Origin"],
            "Access-Control-Expose-Headers": "Retry-After",
            "Retry-After": wait,
        }
        return web.Response(status=503, headers=headers)

    between.rule = away
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await widget.page.clock.run_for(20_000)
    assert len(between.following()) < 40


@pytest.mark.parametrize(
    "answer", ["null", "{}", '{"ticket":"t","secret":"s","qr_png":"/x.png","expires_in":-1}', '{"expires_in":300}']
)
async def test_an_answer_that_is_no_ticket_has_failed(
    town: World, site: Site, context: BrowserContext, answer: str
) -> None:
    body = '<scanbind-qr purpose="bind" ticket-url="/odd"></scanbind-qr>'
    site.odd = answer
    widget = await opened(context, site.put(body))
    await widget.becomes("failed")
    await expect(widget.button).to_be_visible()


async def test_a_plain_poll_asks_no_leave_of_its_own(
    between: Proxy, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = nothing_held
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await in_time(widget.page, lambda: done(len([one for one in between.following() if not one.held]) > 8), step=2)
    asked = [one for one in between.asked if one.method == "OPTIONS" and not one.path.endswith("/events")]
    # Leave is asked for a code, for a plain poll once, and for each poll that wants to be held.
    assert len(asked) <= 2 + len([one for one in between.following() if one.held])


async def done(said: bool) -> bool:
    return said


async def test_no_code_and_no_secret_is_told_to_other_pages(
    town: World, site: Site, context: BrowserContext
) -> None:
    listener = await site.open(context, "", path="/listener", head="")
    await listener.evaluate(
        "url => { globalThis.heard = []; new BroadcastChannel(`scanbind ${url}/`).onmessage = "
        "({ data }) => heard.push(JSON.stringify(data)) }",
        town.url,
    )
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    [confirmed] = await widget.told("confirmed")
    heard = await listener.evaluate("heard")
    assert any("news" in one for one in heard)
    assert not any(confirmed["code"] in one or "secret" in one for one in heard)


@pytest.mark.parametrize(("purpose", "after"), [("login", "cancelled"), ("bind", "scanned")])
async def test_a_login_that_nobody_waits_for_ends_with_its_page(
    town: World, site: Site, context: BrowserContext, purpose: str, after: str
) -> None:
    body = LOGIN if purpose == "login" else BIND.format_map((await town.bind("42")).made)
    page = await context.new_page()
    async with page.expect_request("**/v1/tickets/*/events"):
        await page.goto(site.put(body))
    widget = Widget(page)
    await widget.shows_a_code()
    await scan_newest(town, await town.person())
    await widget.becomes("scanned")
    ticket = TicketId(await widget.ticket())
    site.put("<p>Elsewhere</p>", head="")
    await page.reload()
    await until(lambda: status_of(town, ticket) == after)


def status_of(world: World, ticket: TicketId) -> str:
    """Return how the service remembers a ticket."""
    known = world.app[app_keys.FEED].known(ticket)
    return known.status.value if known else ""
