"""The sandbox's phone page in a browser: make a phone, give it pictures, type."""

import io
from typing import Any

import segno
from aiohttp import ClientSession
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import BrowserContext, Page, expect
from process import Demo

REAL_PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "locale": "en-US",
}


async def new_code(http: ClientSession, where: Demo) -> dict[str, Any]:
    """Start a login as the shop's page does, and return the ticket."""
    body = {"purpose": "login", "client_id": "shop", "lang": "en"}
    async with http.post(f"{where.service}/v1/tickets", json=body, headers={"Origin": where.shop}) as response:
        assert response.status == 201, await response.text()
        return dict(await response.json())


async def picture_of(http: ClientSession, where: Demo, ticket: dict[str, Any]) -> bytes:
    async with http.get(where.service + ticket["qr_png"]) as response:
        assert response.status == 200
        return await response.read()


async def begin(page: Page, nickname: str, *, language: str | None = "en") -> None:
    """Take up a new phone."""
    name = page.get_by_test_id("new-user-name")
    if not await name.is_visible():
        await page.get_by_test_id("add-user").click()
    await name.fill(nickname)
    if language:
        await page.get_by_test_id("new-user-language").select_option(language)
    await page.get_by_test_id("new-user").click()
    await expect(name).to_be_hidden()


async def phone(context: BrowserContext, where: Demo, nickname: str, *, language: str = "en") -> Page:
    page = await context.new_page()
    await page.goto(f"{where.phone}/")
    await begin(page, nickname, language=language)
    return page


async def follower(context: BrowserContext, where: Demo, nickname: str, *, language: str = "en") -> Page:
    page = await phone(context, where, nickname, language=language)
    await page.get_by_test_id("follow-by-search").click()
    await expect(page.get_by_test_id("unfollow")).to_be_visible()
    return page


async def hand_over(page: Page, event: str, picture: bytes, *, kind: str = "image/png") -> None:
    """Paste or drop a file, as the browser tells a page of it; the page must not leave it to the browser."""
    left_to_the_browser = await page.evaluate(
        """([event, bytes, type]) => {
            const held = new DataTransfer();
            held.items.add(new File([Uint8Array.from(bytes)], "screenshot", { type }));
            const about = { bubbles: true, cancelable: true };
            return document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent("paste", { ...about, clipboardData: held })
                : new DragEvent(event, { ...about, dataTransfer: held }));
        }""",
        [event, list(picture), kind],
    )
    assert not left_to_the_browser


async def type_in(page: Page, text: str) -> None:
    await page.get_by_test_id("chat-input").fill(text)
    await page.get_by_test_id("chat-send").click()


async def expect_question(page: Page) -> None:
    await expect(page.get_by_test_id("chat-link").filter(has_text="Not me").last).to_be_visible()


def drawn(text: str) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=8, border=4)
    return out.getvalue()


def blank() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (400, 300), "#345").save(out, "PNG")
    return out.getvalue()


async def faultless(page: Page, state: str) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"
