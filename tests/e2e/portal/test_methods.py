"""The portal in a browser where a client has several methods.

Red when its page frames WeChat's, which its policy forbids, and when a visitor who comes back from WeChat is not
told how the bind ended.
"""

import pytest
from harness import World
from pages import Site
from phone import faultless
from playwright.async_api import BrowserContext, Page, expect
from portal_page import embed, enter
from widget import Widget
from widget_methods import Offer, choice, offered, redirect

from sandbox.people import Person


async def go(world: World, page: Page, person: Person) -> None:
    """Go to WeChat's page and allow what it asks."""
    await redirect(Widget(page)).click()
    await expect(page.get_by_test_id("login")).to_be_visible()
    world.authorization.allow(person, world.authorization.open_consents()[0])


@pytest.mark.parametrize("methods", [("scan", "website"), ("website", "scan")])
@pytest.mark.parametrize("accounts", [["main"], ["main", "second"]])
async def test_a_visitor_goes_to_wechat_and_is_told_how_it_ended(
    offer: Offer, context: BrowserContext, methods: tuple[str, ...], accounts: list[str]
) -> None:
    world = await offer(*methods, accounts=accounts)
    anna = await world.person()
    page = await context.new_page()
    for user, told in (
        ("42", "Done: your WeChat is connected."),
        ("43", "This WeChat is connected to another account. Disconnect it there first."),
    ):
        await enter(world, page, user)
        widget = Widget(page)
        await widget.shows_a_code()  # of the account, which a website login does not belong to
        await choice(widget, "website").click()
        await expect(redirect(widget)).to_be_visible()
        await expect(widget.host.locator("iframe")).to_have_count(0)
        await faultless(page, "redirect")
        await go(world, page, anna)
        await expect(page.get_by_test_id("portal-notice")).to_have_text(told)
        assert "ended" not in page.url
        await expect(page.get_by_text("You do not follow")).to_have_count(
            0
        )  # a website application has no followers
    (binding,) = await world.bindings("42")
    assert binding["method"] == "website"


@pytest.mark.parametrize("query", ["error=access_denied", "ended=title"])
async def test_any_other_end_is_told_as_a_failure(offer: Offer, context: BrowserContext, query: str) -> None:
    world = await offer("scan", "website")
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    here = page.url
    await page.goto(f"{here}&{query}")
    told = "Your WeChat was not connected. Please try again."
    await expect(page.get_by_test_id("portal-notice")).to_have_text(told)
    assert page.url == here


async def test_a_client_with_a_redirect_alone_shows_that(offer: Offer, context: BrowserContext) -> None:
    world = await offer("website")
    page = await context.new_page()
    await enter(world, page)
    await go(world, page, await world.person())
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is connected.")


async def test_in_a_page_of_the_site_no_redirect_is_offered(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("website", "scan")
    page = await embed(world, site, context)
    widget = Widget(page)
    await expect(widget.qr).to_be_visible()
    assert await offered(widget) == []
