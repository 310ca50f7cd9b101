"""Every state of the portal passes axe and fits a narrow screen."""

from typing import Any

import pytest
from harness import World
from pages import Site
from playwright.async_api import Browser, expect
from portal_client import link
from portal_page import bound, disconnect, enter, sound


@pytest.mark.parametrize(("lang", "scheme"), [("zh", "light"), ("en", "dark"), ("en", "light"), ("zh", "dark")])
async def test_no_state_has_a_fault_of_accessibility(
    world: World, site: Site, browser: Browser, lang: str, scheme: Any
) -> None:
    await bound(world, "bound")
    way_back = {"lang": lang, "account_name": "anna", "return_url": f"{site.origin}/settings"}
    context = await browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
    page = await context.new_page()
    await enter(world, page, **way_back)
    await page.locator("scanbind-qr").scroll_into_view_if_needed()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await sound(page)
    made = await enter(world, page, "bound", only_login=True, **way_back)
    await expect(page.get_by_test_id("portal-only-login")).to_be_visible()
    await sound(page)
    await page.get_by_test_id("portal-disconnect").click()
    await context.set_offline(True)
    await page.get_by_test_id("portal-confirm-yes").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await sound(page)
    await page.get_by_test_id("portal-confirm-no").click()
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_test_id("portal-problem")).not_to_be_empty()
    await sound(page)
    await context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await disconnect(page)
    await expect(page.get_by_test_id("portal-notice")).not_to_be_empty()
    await sound(page)
    address = page.url
    await page.get_by_test_id("portal-return").click()
    await page.wait_for_url(f"{site.origin}/settings")
    await page.goto(address)
    await expect(page.locator("scanbind-portal")).to_have_attribute("data-state", "over")
    await sound(page)
    await page.goto(made["url"])
    await expect(page.get_by_test_id("portal-gone")).to_be_visible()
    await sound(page)
    await page.goto((await link(world, "x" * 128, account_name="n" * 256, lang=lang))["url"])
    await expect(page.get_by_test_id("portal-ask")).to_be_visible()
    await sound(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("portal-go-on")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.locator("scanbind-qr").scroll_into_view_if_needed()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await context.close()
