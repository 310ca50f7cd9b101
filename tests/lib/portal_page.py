"""The portal in a browser: open it, scan its QR code, disconnect."""

import re
from typing import Any

from axe_playwright_python.async_playwright import Axe
from harness import ACCOUNT, World
from pages import Site, arrive
from playwright.async_api import BrowserContext, Page, expect
from portal_client import link

from sandbox.account import OfficialAccount
from sandbox.people import Person

PORTAL = (
    '<script type="module" src="{host}/portal.js"></script><script type="module" src="{host}/widget.js"></script>'
)
TWO_DIGITS = re.compile(r"^[1-9][0-9]$")
SESSION = re.compile("/v1/portal-sessions/[^/]+$")
FAILED = "Failed to load resource"


async def enter(world: World, page: Page, user_id: str = "42", **fields: Any) -> dict[str, Any]:
    """Follow a new link from a page of the site to the portal's own page."""
    made = await link(world, user_id, **{"lang": "en", **fields})
    await arrive(page, made["url"], origin=world.settings.clients[fields.get("client", "shop")].origins[0])
    return made


async def bound(world: World, user_id: str = "42", **fields: Any) -> Person:
    """Return a person whose WeChat the site itself has bound."""
    person = await world.person()
    page = await world.bind(user_id, **fields)
    await world.scan(person, page)
    if match := (await page.poll())["match"]:
        await world.say(person, match)
    await page.until("confirmed")
    return person


async def scan(world: World, page: Page, *, at: OfficialAccount = ACCOUNT) -> Person:
    """Scan the code on the page, and answer with the number that it shows then."""
    person = await world.person()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await world.sandbox.scan(person, world.sandbox.codes()[0].url)
    match = page.get_by_test_id("match")
    await expect(match).to_have_text(TWO_DIGITS)
    await world.say(person, await match.inner_text(), account=at.appid)
    return person


async def disconnect(page: Page, account: str = "") -> None:
    """Disconnect the only WeChat, or the one of *account*."""
    row = page.locator(f'[data-account="{account}"]') if account else page
    await row.get_by_test_id("portal-disconnect").click()
    await page.get_by_test_id("portal-confirm-yes").click()


async def focused(page: Page) -> str:
    """Return the words of what has the focus inside the portal."""
    return str(
        await page.evaluate("document.querySelector('scanbind-portal').shadowRoot.activeElement?.innerText ?? ''")
    )


async def embed(world: World, site: Site, context: BrowserContext, **fields: Any) -> Page:
    """Open a page of the site with the portal in it; what the element says is kept in `said`."""
    made = await link(world, "42", **{"lang": "en", **fields})
    return await site.open(context, f'<scanbind-portal session="{made["token"]}"></scanbind-portal>', head=PORTAL)


async def sound(page: Page) -> None:
    """Check that axe-core finds nothing wrong with the page as it is, and that it fits so narrow a screen."""
    found = await Axe().run(page)
    faults = [(it["id"], [node["html"] for node in it["nodes"]]) for it in found.response["violations"]]
    assert faults == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
