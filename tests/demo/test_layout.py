"""The layout of the shop in a browser, down to the narrowest phone; skipped without chromium."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect
from shopper import Visit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NARROWEST = 320  # px, no sideways scrolling down to this width (WCAG 1.4.10)
WIDER_THAN_ITS_WINDOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
LINES_OF_TITLE = """() => {
  const title = document.createRange();
  title.selectNodeContents(document.querySelector("h1"));
  return title.getClientRects().length;
}"""
BORDER = "(element) => getComputedStyle(element).borderTopColor"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="needs chromium, which is not on this machine"),
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield await browser.new_page(viewport={"width": NARROWEST, "height": 640})
        await browser.close()


def address(visit: Visit, path: str) -> str:
    return str(visit.http.make_url("/")) + path


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("way", ["login", "signup"])
async def test_the_narrowest_phone_scrolls_no_page_sideways(visit: Visit, page: Page, way: str, lang: str) -> None:
    await page.goto(address(visit, f"{way}?lang={lang}"))
    if way == "login":
        await expect(page.get_by_test_id("qr")).to_be_visible()
    assert not await page.evaluate(WIDER_THAN_ITS_WINDOW)
    assert await page.evaluate(LINES_OF_TITLE) == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_the_header_is_one_line_on_an_ordinary_phone(alone: Visit, page: Page, lang: str) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(address(alone, f"login?lang={lang}"))
    title, *links = [await part.bounding_box() for part in await page.locator("header > *").all()]
    assert title
    assert len(links) == 3
    assert all(link and title["y"] < link["y"] < title["y"] + title["height"] for link in links)


async def test_a_wrong_password_does_not_look_like_a_success(alone: Visit, page: Page) -> None:
    await page.goto(address(alone, "login?say=wrong"))
    accent = await page.get_by_role("link").first.evaluate("(link) => getComputedStyle(link).color")
    assert await page.get_by_test_id("notice").evaluate(BORDER) != accent
