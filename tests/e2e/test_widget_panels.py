"""WeChat's page in a frame of the widget: what it hands over, and that no other window can.

Red when a message counts that another window, another origin or an earlier frame sent, when the code is told by a
poll, and when the redirect is not offered where the frame does not work.
"""

import re

import pytest
from harness import World
from pages import Site
from playwright.async_api import BrowserContext, Frame, Route, expect
from proxy import proxy
from wechat_browser import browsing
from widget import Console, Widget, opened, timed, until
from widget_methods import DONE, Offer, choice, framed, offered, page_of, redirect, until_told

FORGED = {"scanbind": "authorized", "code": "forged", "state": "of-the-session"}


async def hold(_: Route) -> None:
    """Never answer."""


async def inner(widget: Widget) -> Frame:
    handle = await widget.host.locator("iframe").element_handle()
    frame = await handle.content_frame()
    assert frame
    return frame


async def returns(widget: Widget, world: World, query: str) -> None:
    """Lead the frame to where WeChat returns, with *query* after the state."""
    frame = await inner(widget)
    [state] = re.findall(r"state=(\w+)", frame.url)
    await frame.evaluate("url => { location.href = url }", f"{world.url}/oauth/site?state={state}{query}")


async def test_a_login_in_the_frame_gives_the_page_its_code(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("website", "scan")
    widget = await opened(context, page_of(site, world))
    world.authorization.allow(await world.person(), await framed(widget, world))
    said = await until_told(widget, "confirmed")
    assert (said["state"], said["ticket"]) == ("of-the-session", await widget.ticket())
    redeemed = await (await world.exchange(said["code"])).json()
    assert (redeemed["method"], redeemed["state"]) == ("website", "of-the-session")
    await widget.becomes("confirmed")
    assert (await widget.statuses()).count("confirmed") == 1


async def test_no_other_window_can_end_the_login(offer: Offer, site: Site, context: BrowserContext) -> None:
    world = await offer("website")
    widget = await opened(context, page_of(site, world))
    await framed(widget, world)
    await (await inner(widget)).evaluate("forged => parent.postMessage(forged, '*')", FORGED)  # WeChat's origin
    await widget.page.evaluate("forged => postMessage(forged, '*')", FORGED)
    await widget.page.evaluate(
        "({ forged, origin }) => dispatchEvent(new MessageEvent('message', { data: forged, origin }))",
        {"forged": FORGED, "origin": world.url},
    )
    assert await widget.told("confirmed") == []
    assert await widget.statuses() == ["loading", "waiting"]


@pytest.mark.parametrize(("query", "status"), [("", "declined"), ("&code=made-up", "failed")])
async def test_a_refusal_is_shown_with_a_way_on(
    offer: Offer, site: Site, context: BrowserContext, console: Console, *, query: str, status: str
) -> None:
    world = await offer("website", "scan")
    async with proxy(world.url) as between:
        site.service = between.url
        widget = await opened(context, page_of(site, world))
        await framed(widget, world)
        await returns(widget, world, query)
        await widget.becomes(status)
        assert await widget.told("confirmed") == []
        assert await offered(widget) == ["scan"]
        await until(lambda: not between.holding)  # the ticket is followed no more
        await widget.button.click()
        world.authorization.allow(await world.person(), await framed(widget, world))
        await until_told(widget, "confirmed")


async def test_without_a_cookie_the_redirect_is_offered(
    offer: Offer, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Failed to load resource")
    world = await offer("website")
    widget = await opened(context, page_of(site, world))
    consent = await framed(widget, world)
    await context.clear_cookies()
    anna = await world.person()
    world.authorization.allow(anna, consent)
    await expect(widget.host.locator("iframe")).to_have_count(0)
    await redirect(widget).click()
    await expect(widget.page.get_by_test_id("login")).to_be_visible()
    world.authorization.allow(anna, world.authorization.open_consents()[0])
    await widget.page.wait_for_url(f"{site.origin}{DONE}?code=*")


async def test_where_the_frame_does_not_load_the_redirect_is_offered(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("website")
    await context.route(re.compile("/panel/"), hold)
    widget = await timed(context, page_of(site, world))
    await widget.becomes("waiting")
    await expect(widget.host.locator("iframe")).to_have_count(1)
    await widget.page.clock.fast_forward(10_000)
    await expect(widget.host.locator("iframe")).to_have_count(0)
    await expect(redirect(widget)).to_be_visible()


async def test_a_login_in_another_window_gives_this_page_no_code(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("website", "scan")
    widget = await opened(context, page_of(site, world))
    await framed(widget, world)
    address = await redirect(widget).get_attribute("href")
    async with browsing(world) as elsewhere:
        await elsewhere.open(address or "")
        assert "code" in (await elsewhere.allow(await world.person())).answer
    await widget.becomes("confirmed")
    assert await widget.told("confirmed") == []


async def test_a_frame_ends_when_the_visitor_leaves_it(offer: Offer, site: Site, context: BrowserContext) -> None:
    """While the next code is made as well: what the frame handed over would be taken for that."""
    world = await offer("website", "scan")
    widget = await opened(context, page_of(site, world))
    await framed(widget, world)
    await context.route(re.compile("/v1/tickets$"), hold)
    await choice(widget, "scan").click()
    await widget.becomes("loading")
    await expect(widget.host.locator("iframe")).to_have_count(0)
