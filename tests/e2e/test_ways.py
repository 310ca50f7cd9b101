"""The demo's page of ways to sign in, in a browser: each kind of account, and each way that it has.

Red when a button opens a login by another method, or the page is a barrier to keyboards or assistive technology.
"""

import pytest
from phone import faultless
from playwright.async_api import BrowserContext, Page, expect
from process import Demo

WAYS = {
    "all": ["scan", "link", "miniprogram", "passcode", "website", "wecom"],
    "test": ["scan", "link", "passcode"],
    "service": ["scan", "link", "passcode"],
    "personal": ["passcode"],
    "website": ["website"],
    "miniprogram": ["miniprogram"],
    "company": ["wecom"],
}


async def open_ways(page: Page, where: Demo, kind: str) -> None:
    """Choose the kind with the keyboard."""
    await page.goto(f"{where.shop}/ways?lang=en")
    await page.get_by_test_id("kind").focus()
    await page.get_by_test_id("kind").select_option(kind)
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("kind-submit")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("kind")).to_have_value(kind)


async def opens(page: Page, method: str) -> None:
    """Press the button of the way, and wait for a code or frame of that method, without others to choose."""
    async with page.expect_response(lambda one: one.request.method == "POST" and "/v1/tickets" in one.url) as made:
        await page.locator(f'[data-method="{method}"]').get_by_test_id("way-open").press("Enter")
    assert (await (await made.value).json())["method"] == method
    element = page.locator(f'scanbind-qr[method="{method}"]')
    await expect(element.locator("iframe:visible, [data-testid=qr]:visible")).to_have_count(1)
    await expect(element.locator("[part=method]")).to_have_count(0)


@pytest.mark.parametrize("kind", WAYS)
async def test_each_way_of_a_kind_opens_its_login(running: Demo, context: BrowserContext, kind: str) -> None:
    page = await context.new_page()
    await open_ways(page, running, kind)
    await faultless(page, kind)
    ways = page.get_by_test_id("way-open")
    assert [await way.evaluate("(way) => way.closest('li').dataset.method") for way in await ways.all()] == WAYS[
        kind
    ]
    for method in WAYS[kind]:
        await opens(page, method)
        await page.get_by_role("link", name="Methods").press("Enter")
        await expect(page.get_by_test_id("kind")).to_have_value(kind)
