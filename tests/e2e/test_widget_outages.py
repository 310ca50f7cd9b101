"""The widget during outages, restarts, sleep and rate limits."""

import os
import signal
from pathlib import Path

import pytest
from aiohttp import web
from harness import ORIGIN, World, client
from harness import world as make_world
from pages import Site
from playwright.async_api import BrowserContext, expect
from proxy import Proxy, followers_fail, proxy
from widget import LOGIN, Begin, Console, Widget, confirm, in_time, opened, scan_newest, timed, until
from widget_waiting import BIND, LOST, asked_during, serving

from service import app_keys
from service.storage.embedded_valkey import valkey

# -- restarts and lost connections --


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
    between.deaf = True  # the connection is dead, and the widget has not noticed yet
    await scan_newest(town, anna)
    assert await asked_during(between, widget.page, 2) == set()
    between.deaf = False
    await widget.page.clock.fast_forward(20_000)  # less than the silence that makes a stream count as dead
    await widget.number()


# -- faulty responses --


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
