"""The portal in each engine: entered from the site and from elsewhere, used, and left.

Red when handlers/portal/pages.py opens a link without a look at where the navigation began.
"""

from collections.abc import Callable
from html import escape
from typing import Any

import pytest
from browser_fixture import browser_fixture
from engines.driver import ESCAPE
from engines.page import Page, code_in
from harness import World, client
from pages import Site
from portal_client import link
from portal_page import PORTAL, bound
from widget import Console

GONE = "Failed to load resource"
LEADS_WITHOUT_REFERER = """(address) => {
  const link = document.querySelector("main").appendChild(document.createElement("a"));
  Object.assign(link, { href: address, referrerPolicy: "no-referrer", textContent: "WeChat" });
  link.dataset.testid = "link";
}"""


def of_another_site(site: Site) -> str:
    """Return the site's origin by a name that makes its navigations to the service cross-site."""
    return site.origin.replace("127.0.0.1", "localhost")


@browser_fixture
async def town(make: Callable[..., Any], site: Site) -> World:
    """A world whose shop asks for the number, and is at home at both origins of the site."""
    shop = client("shop", origins=[site.origin, of_another_site(site)], confirm="match")
    world: World = await make(clients={"shop": shop})
    site.service = world.url
    return world


async def follow(page: Page, address: str, *, site: Site, origin: str = "") -> None:
    """Click a link to *address* on the settings page of the site."""
    site.put(f'<a data-testid="link" href="{escape(address)}">WeChat</a>', path="/settings", head="")
    await page.tab.go(f"{origin or site.origin}/settings")
    await page.press("link")


async def enter(town: World, page: Page, *, site: Site, origin: str = "") -> str:
    """Follow a new link for account 42, and return its address."""
    made = await link(town, "42", lang="en", account_name="anna", return_url=f"{site.origin}/settings")
    await follow(page, made["url"], site=site, origin=origin)
    return str(made["url"])


async def connect(town: World, page: Page) -> None:
    """Scan the code on the portal's page, and answer with the number that it shows then."""
    person = await town.person()
    await town.sandbox.scan(person, await code_in(await page.shows_a_code()))
    await town.say(person, await page.number())
    await page.shows("portal-binding", "WeChat connected")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["same site", "cross site"])
async def test_an_account_holder_connects_disconnects_and_goes_back(
    town: World, site: Site, page: Page, *, name: str
) -> None:
    await enter(town, page, site=site, origin=site.origin.replace("127.0.0.1", name))
    await page.shows("portal-account-name", "anna")
    await connect(town, page)
    await page.shows("portal-notice", "your WeChat is connected")
    assert len(await town.bindings("42")) == 1
    await page.press("portal-disconnect")
    await page.press("portal-confirm-yes")
    await page.shows("portal-notice", "your WeChat is disconnected")
    await page.shows_a_code()
    assert await town.bindings("42") == []
    await page.press("portal-return")
    await page.is_at(f"{site.origin}/settings")


async def test_a_session_that_was_closed_shows_as_expired(
    town: World, site: Site, page: Page, console: Console
) -> None:
    console.expect(GONE)
    await enter(town, page, site=site)
    await page.shows("portal-title", "WeChat at Example shop")
    address = await page.run("() => location.href")
    await page.press("portal-return")
    await page.is_at(f"{site.origin}/settings")
    await page.tab.go(address)
    await page.shows("portal-title", "This page has expired")
    await page.hides("qr")


async def test_a_cancelled_disconnect_keeps_the_binding(town: World, site: Site, page: Page) -> None:
    await bound(town)
    await enter(town, page, site=site)
    await page.press("portal-disconnect")
    await page.shows("portal-confirm", "Disconnect your WeChat?")
    await page.press("portal-confirm-no")
    await page.hides("portal-confirm")
    await page.press("portal-disconnect")
    await page.shows("portal-confirm")
    await page.tab.type(ESCAPE)
    await page.hides("portal-confirm")
    await page.shows("portal-binding", "WeChat connected")
    assert len(await town.bindings("42")) == 1


async def test_a_link_opens_once(town: World, site: Site, page: Page, console: Console) -> None:
    console.expect(GONE)
    address = await enter(town, page, site=site)
    await page.shows_a_code()
    await follow(page, address, site=site)
    await page.shows("portal-gone", "This link no longer works")
    await page.press("portal-return")
    await page.is_at(f"{site.origin}/settings")


async def test_a_link_from_another_site_asks_first(town: World, site: Site, page: Page) -> None:
    """The form of the page that asks is sent by the portal itself, whose cookie the browser must take then."""
    stranger = of_another_site(site)
    made = await link(town, "42", lang="en", account_name="anna")
    site.put("", path="/settings", head="")
    await page.tab.go(f"{stranger}/settings")
    await page.run(LEADS_WITHOUT_REFERER, made["url"])
    await page.press("link")
    await page.shows("portal-ask", "anna")
    await page.press("portal-go-on")
    await page.shows_a_code()
    await page.shows("portal-account-name", "anna")


async def test_the_portal_works_inside_a_page_of_the_site(town: World, site: Site, page: Page) -> None:
    made = await link(town, "42", lang="en")
    body = f'<scanbind-portal session="{made["token"]}"></scanbind-portal>'
    site.put(body, path="/account", head=PORTAL)
    await page.tab.go(f"{of_another_site(site)}/account")
    await connect(town, page)
    await page.press("portal-disconnect")
    await page.press("portal-confirm-yes")
    await page.shows_a_code()
    assert await town.bindings("42") == []
