"""Accessibility of the widget: screen readers, keyboard, zoom, reduced motion, forced colours."""

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from harness import World
from pages import Site
from playwright.async_api import BrowserContext, Page, expect
from proxy import Proxy, followers_fail, no_codes, too_many
from two_services import links_of
from widget import LOGIN, Begin, Console, Widget, confirm, in_time, opened, scan_newest, timed, until

from sandbox.people import Person

BIND = '<scanbind-qr purpose="bind" theme="{}" ticket="{}" secret="{}"></scanbind-qr>'
PROVOKED = ("Failed to load resource", "Access to fetch")
OVERFLOWING = """
(size) => {
  document.documentElement.style.fontSize = size;
  const { shadowRoot } = document.querySelector("scanbind-qr");
  const parts = [document.documentElement, ...shadowRoot.querySelectorAll("*")];
  const wide = (one) => Math.max(one.getBoundingClientRect().right, one.scrollWidth) > innerWidth;
  return parts.filter(wide).map((one) => one.getAttribute("part") ?? one.localName);
}
"""


async def faults_of(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it is."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {node['html']}: {node['failureSummary']}" for one in found for node in one["nodes"]]


async def states(town: World, between: Proxy, widget: Widget) -> AsyncIterator[str]:
    """Walk through what a visitor can see; give the name of each state once it is there."""
    anna, page = await town.person(), widget.page
    between.rule = no_codes
    await widget.becomes("loading")
    yield "loading"
    between.rule = too_many
    await page.reload()
    await widget.becomes("limited")
    yield "limited"
    between.rule = None
    await page.reload()
    await widget.shows_a_code()
    yield "waiting"
    await until(lambda: between.holding)
    between.rule = followers_fail
    between.cut()
    await in_time(page, lambda: widget.has("offline"), step=2)
    yield "offline"
    between.rule = None
    await in_time(page, lambda: widget.has("waiting"), step=2)
    reply = await scan_newest(town, anna)
    await in_time(page, widget.match.is_visible, step=2)
    yield "scanned"
    await town.say(anna, links_of(reply or "")[-1])
    await in_time(page, lambda: widget.has("declined"), step=2)
    yield "declined"
    await widget.button.click()
    await widget.shows_a_code()
    town.clock.advance(285)
    await page.clock.fast_forward(285_000)
    await widget.becomes("expiring")
    yield "expiring"
    await confirm(town, anna, widget)
    await widget.becomes("confirmed")
    yield "confirmed"


async def to_its_end(world: World, ending: str, anna: Person) -> None:
    """Bring the newest code to an end; *anna* is bound to the user 42."""
    match ending:
        case "wechat_taken":
            await scan_newest(world, anna)
        case "user_taken":
            await scan_newest(world, await world.person())
        case "cancelled":
            await world.bind("7", refresh=True)
        case "expired":
            world.clock.advance(600)


@pytest.mark.parametrize(("scheme", "lang"), [("light", "en"), ("dark", "zh")])
async def test_axe_finds_nothing_wrong_at_an_end(
    begin: Begin, site: Site, context: BrowserContext, console: Console, *, scheme: str, lang: str
) -> None:
    console.expect(*PROVOKED)
    world = await begin(confirm="none")
    anna = await world.bound("42")
    for ending in ("wechat_taken", "user_taken", "cancelled", "expired", "failed"):
        made = (await world.bind("42" if ending == "user_taken" else "7", refresh=True)).made
        secret = "another" if ending == "failed" else made["secret"]
        widget = await opened(context, site.put(BIND.format(scheme, made["ticket"], secret), lang=lang))
        if ending != "failed":
            await widget.shows_a_code()
        await to_its_end(world, ending, anna)
        await widget.becomes(ending)
        assert await faults_of(widget.page) == [], ending


@pytest.mark.parametrize(("scheme", "lang"), [("light", "zh"), ("dark", "en")])
async def test_axe_finds_nothing_wrong_after_a_wrong_number(
    town: World, site: Site, context: BrowserContext, *, scheme: str, lang: str
) -> None:
    anna = await town.person()
    widget = await opened(context, site.put(LOGIN.replace("state", f'theme="{scheme}" state'), lang=lang))
    await widget.shows_a_code()
    await scan_newest(town, anna)
    await town.say(anna, "10" if await widget.number() != "10" else "11")
    await widget.becomes("wrong_number")
    assert await faults_of(widget.page) == []


@pytest.mark.parametrize(("scheme", "lang"), [("light", "en"), ("dark", "zh")])
async def test_axe_finds_nothing_wrong(
    between: Proxy, town: World, site: Site, context: BrowserContext, console: Console, *, scheme: str, lang: str
) -> None:
    console.expect(*PROVOKED)
    between.rule = no_codes
    widget = await timed(context, site.put(LOGIN.replace("state", f'theme="{scheme}" state'), lang=lang))
    async for state in states(town, between, widget):
        assert await faults_of(widget.page) == [], state


async def test_each_state_is_announced_once(town: World, site: Site, context: BrowserContext) -> None:
    page = await site.open(context, "")
    await page.evaluate(
        """async () => {
          const one = document.createElement("scanbind-qr");
          one.setAttribute("client-id", "shop");
          document.querySelector("main").append(one);
          const live = one.shadowRoot.querySelector("[role=status]");
          globalThis.announced = [];
          new MutationObserver(() => {
            const shown = [...live.children].filter((part) => !part.hidden);
            announced.push(shown.map((part) => part.textContent).join(" ").trim());
          }).observe(live, { childList: true, characterData: true, subtree: true });
        }"""
    )
    widget = Widget(page)
    await widget.shows_a_code()
    anna = await town.person()
    await scan_newest(town, anna)
    number = await widget.number()
    await town.say(anna, number)
    await widget.becomes("confirmed")
    announced = await page.evaluate("announced")
    loading, waiting, scanned, confirmed = announced
    assert loading.startswith("Getting")
    assert waiting.startswith("Scan with WeChat")
    assert number in scanned
    assert confirmed == "Confirmed"
    live = widget.host.locator("[role=status]")
    assert await live.get_attribute("aria-atomic") == "true"
    await expect(live).to_contain_text("Confirmed")


async def test_the_countdown_is_not_read_aloud(town: World, site: Site, context: BrowserContext) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await expect(widget.timer).to_have_attribute("role", "timer")  # which is silent unless it says otherwise
    assert not await widget.timer.get_attribute("aria-live")
    assert not await widget.timer.evaluate("timer => timer.closest('[role=status]')")


async def test_a_new_code_is_had_by_keyboard_and_the_focus_stays(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    reply = await scan_newest(town, await town.person())
    await town.say(town.people[0], links_of(reply or "")[-1])
    await widget.becomes("declined")
    await widget.page.keyboard.press("Tab")
    await expect(widget.button).to_be_focused()
    assert await widget.button.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    await widget.page.keyboard.press("Enter")
    await widget.has_had(2)
    await widget.shows_a_code()
    assert await widget.host.evaluate("one => one.shadowRoot.activeElement?.getAttribute('role')") == "status"


async def test_twice_as_large_it_still_fits_a_narrow_page(
    between: Proxy, town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(*PROVOKED)
    between.rule = no_codes
    widget = await timed(context, site.put(LOGIN))
    await widget.page.set_viewport_size({"width": 320, "height": 256})
    async for state in states(town, between, widget):
        for size in ("100%", "200%"):
            assert await widget.page.evaluate(OVERFLOWING, size) == [], (state, size)


async def test_nothing_moves_with_reduced_motion(between: Proxy, site: Site, context: BrowserContext) -> None:
    between.rule = no_codes
    page = await context.new_page()
    await page.goto(site.put(LOGIN))
    widget = Widget(page)
    await widget.becomes("loading")
    running = "document.querySelector('scanbind-qr').shadowRoot.getAnimations().length"
    assert await page.evaluate(running) == 1
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate(running) == 0


async def test_in_forced_colours_the_code_stays_black_on_white_and_buttons_have_edges(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.emulate_media(forced_colors="active", color_scheme="dark")
    await page.goto(site.put(LOGIN))
    widget = Widget(page)
    await widget.shows_a_code()
    await expect(widget.qr).to_have_css("background-color", "rgb(255, 255, 255)")
    reply = await scan_newest(town, await town.person())
    await town.say(town.people[0], links_of(reply or "")[-1])
    await widget.becomes("declined")
    await expect(widget.button).to_have_css("border-top-style", "solid")
    await expect(widget.button).to_have_css("border-top-width", "1px")


async def test_it_is_right_in_a_page_that_is_read_from_right_to_left(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await site.open(context, f'<div dir="rtl">{LOGIN}</div>')
    widget = Widget(page)
    await widget.shows_a_code()
    await expect(widget.timer).to_have_css("direction", "ltr")
    await scan_newest(town, await town.person())
    await widget.number()
    await expect(widget.match).to_have_css("direction", "ltr")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
