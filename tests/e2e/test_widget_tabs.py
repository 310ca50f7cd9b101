"""The widget in hidden, cached, closed and many tabs."""

import asyncio

from aiohttp import web
from harness import World
from pages import Site
from playwright.async_api import BrowserContext
from proxy import Proxy
from widget import HIDE, LOGIN, Console, Widget, confirm, opened, scan_newest, timed, until
from widget_waiting import BIND, asked_during

# -- hidden and cached pages --


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


async def test_a_change_that_another_tab_announced_is_asked_for_until_it_is_known(
    between: Proxy, town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    """Red when the announcement is forgotten before the poll has succeeded: there is no other."""
    console.expect("Failed to load resource", "Access to fetch")
    anna = await town.person()
    made = await town.bind("42")
    address = site.put(BIND.format_map(made.made))
    first, leader = await timed(context, address), await opened(context, address)
    await leader.shows_a_code()
    await until(lambda: len(between.holding) == 1)
    async with asyncio.timeout(30):
        while await asked_during(between, first.page, 3):
            continue  # the first tab has not heard of the leader yet, and polls by itself
    failed: list[str] = []

    async def fail_once(request: web.Request, _: Proxy) -> web.Response | None:
        if request.method != "GET" or request.path.endswith("/events") or failed:
            return None
        failed.append(request.path)
        return web.Response(status=502)

    between.rule = fail_once
    await town.scan(anna, made)
    await leader.number()
    await first.number()
    assert failed


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
