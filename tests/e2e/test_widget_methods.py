"""The widget where a client has several methods: which it shows on which device, and how a visitor takes another.

Red when a method is offered that the device cannot use, when a switch leaves the earlier code usable, and when the
site's back end is not told which method is wanted.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from pages import Site
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, BrowserContext, Route, expect
from widget import RECORD, Console, confirm, opened
from widget_methods import DONE, LOGIN, ON_IPHONE, Offer, choice, framed, offered, page_of, redirect, until_told
from widget_waiting import BIND, status_of
from yarl import URL

from models.ticket import TicketId
from sandbox.authorization.inside import user_agent

RENEWED = '<scanbind-qr purpose="bind" ticket-url="/ticket"></scanbind-qr>'
Handheld = Callable[[str], AbstractAsyncContextManager[BrowserContext]]


@pytest.fixture
def handheld(browser: Browser) -> Handheld:
    """Give a phone's browser with a user agent."""

    @asynccontextmanager
    async def held(agent: str) -> AsyncIterator[BrowserContext]:
        context = await browser.new_context(**REAL_PHONE, user_agent=agent)
        await context.add_init_script(RECORD)
        yield context
        await context.close()

    return held


async def test_the_first_method_is_shown_and_the_others_are_a_tap_away(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "website", "h5", confirm="match")
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    assert await offered(widget) == ["website"]  # h5 works inside WeChat alone
    scanned = await widget.ticket()
    await choice(widget, "website").click()
    await framed(widget, world)
    await expect(widget.qr).to_be_hidden()
    assert await offered(widget) == ["scan"]
    assert status_of(world, TicketId(scanned)) == "cancelled"
    await choice(widget, "scan").click()
    await widget.shows_a_code()
    await confirm(world, await world.person(), widget)
    await widget.becomes("confirmed")
    assert await offered(widget) == []


async def test_a_method_is_changed_by_keyboard_and_the_focus_stays(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    for shown in ("website", "scan"):
        await choice(widget, shown).focus()
        await widget.page.keyboard.press("Enter")
        await expect(choice(widget, "scan" if shown == "website" else "website")).to_be_visible()
        role = "one => one.shadowRoot.activeElement?.getAttribute('role')"
        assert await widget.host.evaluate(role) == "status"


@pytest.mark.parametrize(("scheme", "lang"), [("light", "zh"), ("dark", "en")])
async def test_axe_finds_nothing_wrong(
    offer: Offer, site: Site, context: BrowserContext, scheme: str, lang: str
) -> None:
    world = await offer("website", "scan")
    widget = await opened(
        context, page_of(site, world, LOGIN.replace("state", f'theme="{scheme}" state'), lang=lang)
    )
    await framed(widget, world)
    await faultless(widget.page, "website")
    await choice(widget, "scan").click()
    await widget.shows_a_code()
    await faultless(widget.page, "scan")


async def test_on_a_phone_what_only_another_screen_can_show_is_not_offered(
    offer: Offer, site: Site, handheld: Handheld
) -> None:
    """Red when the phone shows WeChat's page for scans, which reads no saved pictures."""
    world = await offer("website", "scan", "h5")
    async with handheld(ON_IPHONE) as phone:
        widget = await opened(phone, page_of(site, world))
        await widget.shows_a_code()
        await expect(widget.save).to_be_visible()
        assert await offered(widget) == []


async def test_if_nothing_can_be_used_the_first_method_is_shown_anyway(
    offer: Offer, site: Site, handheld: Handheld
) -> None:
    world = await offer("website")
    async with handheld(ON_IPHONE) as phone:
        widget = await opened(phone, page_of(site, world))
        await framed(widget, world)


async def test_inside_wechat_a_tap_is_enough(offer: Offer, site: Site, handheld: Handheld) -> None:
    """Red when the page leaves by itself, and when leaving it cancels the ticket."""
    world = await offer("scan", "h5", confirm="match")
    anna = await world.person()
    async with handheld(user_agent(anna)) as phone:
        widget = await opened(phone, page_of(site, world))
        await expect(redirect(widget)).to_be_visible()
        await faultless(widget.page, "h5")
        assert await offered(widget) == ["scan"]
        await widget.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # as if it were not kept
        await redirect(widget).click()
        await widget.page.wait_for_url(f"{site.origin}{DONE}?*")
        told = dict(URL(widget.page.url).query)
    redeemed = await (await world.exchange(told["code"])).json()
    assert (redeemed["method"], redeemed["state"]) == ("h5", told["state"])


async def test_who_comes_back_from_wechat_gets_a_new_ticket(offer: Offer, site: Site, handheld: Handheld) -> None:
    world = await offer("h5")
    async with handheld(user_agent(await world.person())) as phone:
        widget = await opened(phone, page_of(site, world))
        await expect(redirect(widget)).to_be_visible()
        await widget.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
        await widget.has_had(2)
        await expect(redirect(widget)).to_be_visible()


async def test_after_a_method_that_cannot_be_had_the_others_are_left(
    offer: Offer, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Failed to load resource")
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()

    async def refuse(route: Route) -> None:
        if "website" in (route.request.post_data or ""):
            await route.fulfill(status=400, headers={"Access-Control-Allow-Origin": site.origin})
        else:
            await route.continue_()

    await context.route(re.compile("/v1/tickets$"), refuse)
    await choice(widget, "website").click()
    await widget.becomes("failed")
    assert await offered(widget) == ["scan"]
    await choice(widget, "scan").click()
    await widget.shows_a_code()


async def test_a_page_that_names_a_method_offers_no_other(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world, LOGIN.replace("state", 'method="website" state')))
    await framed(widget, world)
    assert await offered(widget) == []
    await widget.host.evaluate("one => one.setAttribute('method', 'scan')")
    await widget.shows_a_code()
    assert await offered(widget) == []


async def test_without_a_return_url_no_redirect_is_offered_and_the_page_is_told(
    offer: Offer, site: Site, context: BrowserContext, console: Console
) -> None:
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world, LOGIN.replace("return-url", "data-none")))
    await widget.shows_a_code()
    assert await offered(widget) == []
    assert console.reasons == ["missing: return-url"]


async def test_an_account_is_not_asked_for_what_only_an_app_can_do(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world, LOGIN.replace("state", 'account="main" state')))
    await widget.shows_a_code()
    await choice(widget, "website").click()
    await framed(widget, world)


async def test_the_back_end_is_asked_for_the_method(offer: Offer, site: Site, context: BrowserContext) -> None:
    world = await offer("scan", "website")
    site.wanted |= {"return_url": site.origin + DONE, "state": "s"}
    widget = await opened(context, page_of(site, world, RENEWED))
    await widget.shows_a_code()
    await choice(widget, "website").click()
    world.authorization.allow(await world.person(), await framed(widget, world))
    said = await until_told(widget, "confirmed")
    assert [asked.body for asked in site.asked] == [{"purpose": "bind"}, {"purpose": "bind", "method": "website"}]
    assert (await (await world.exchange(said["code"])).json())["outcome"] == "bound"


async def test_a_page_with_a_ticket_is_told_which_method_is_wanted(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "website")
    widget = await opened(context, page_of(site, world, BIND.format_map((await world.bind("42")).made)))
    await widget.shows_a_code()
    await choice(widget, "website").click()
    assert (await until_told(widget, "method"))["method"] == "website"
    made = (await world.bind("42", method="website", return_url=site.origin + DONE, state="s")).made
    await widget.page.evaluate(
        """({ ticket, secret }) => {
          const one = document.querySelector("scanbind-qr");
          one.setAttribute("ticket", ticket);
          one.setAttribute("secret", secret);
        }""",
        made,
    )
    await framed(widget, world)
    assert await offered(widget) == ["scan"]
