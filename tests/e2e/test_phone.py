"""The pretend phone in a real browser: a camera that reads pictures, a chat, and what goes on behind it."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import segno
from aiohttp import ClientSession
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, Route, expect
from process import Demo

REAL_PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "locale": "en-US",
}


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def hand(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A real phone's browser, in somebody's hand."""
    context = await browser.new_context(**REAL_PHONE)
    yield context
    await context.close()


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


# -- the camera ------------------------------------------------------------------------------------


async def test_a_pasted_screenshot_of_the_shops_page_is_scanned(
    running: Demo, browser: Browser, context: BrowserContext
) -> None:
    seen_by = await browser.new_context(device_scale_factor=2, color_scheme="dark")
    shop = await seen_by.new_page()
    await shop.goto(f"{running.shop}/login")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    screenshot = await shop.screenshot(full_page=True)
    page = await follower(context, running, "Pia")
    await hand_over(page, "paste", screenshot)
    await expect_question(page)
    await seen_by.close()


async def test_a_dropped_picture_is_scanned(running: Demo, context: BrowserContext, http: ClientSession) -> None:
    page = await follower(context, running, "Dora")
    picture = await picture_of(http, running, await new_code(http, running))
    await hand_over(page, "dragover", picture)
    await expect(page.get_by_text("Drop the picture here")).to_be_visible()
    await hand_over(page, "drop", picture)
    await expect(page.get_by_text("Drop the picture here")).to_be_hidden()
    await expect_question(page)


async def test_a_photograph_of_another_kind_is_drawn_anew_and_scanned(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await follower(hand, running, "Filip")
    out = io.BytesIO()
    Image.open(io.BytesIO(await picture_of(http, running, await new_code(http, running)))).save(out, "GIF")
    await page.get_by_test_id("scan").click()
    photograph = {"name": "photo.gif", "mimeType": "image/gif", "buffer": out.getvalue()}
    await page.get_by_test_id("picture-file").set_input_files(photograph)
    await expect_question(page)
    await expect(page.get_by_test_id("camera")).to_be_hidden()


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (b"no picture", "cannot be read as a picture"),
        (blank(), "no QR code in the picture"),
        (drawn("https://elsewhere.example/"), "in the picture does not belong to this sandbox"),
    ],
    ids=["no picture", "no code", "foreign code"],
)
async def test_a_picture_that_shows_none_of_our_codes_says_why(
    running: Demo, hand: BrowserContext, picture: bytes, says: str
) -> None:
    page = await follower(hand, running, "Bea")
    await hand_over(page, "drop", picture)
    await expect(page.get_by_test_id("toast")).to_contain_text(says)
    await expect(page.get_by_test_id("chat-line")).to_have_count(0)


async def test_of_several_codes_in_a_picture_one_is_chosen(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    first, second = [await new_code(http, running) for _ in range(2)]
    both = Image.new("L", (1200, 600), 255)
    for number, ticket in enumerate((first, second)):
        both.paste(Image.open(io.BytesIO(drawn(ticket["qr_url"]))), (number * 600, 0))
    out = io.BytesIO()
    both.save(out, "PNG")
    page = await follower(hand, running, "Sven")
    await hand_over(page, "paste", out.getvalue())
    shown = page.get_by_test_id("code-item")
    await expect(shown).to_have_count(2)
    code = first["qr_url"].rpartition("/")[2]
    await page.locator(f'[data-testid="code-item"][data-code="{code}"]').click()
    await expect_question(page)
    async with http.get(
        f"{running.service}/v1/tickets/{first['ticket']}", headers={"Authorization": f"Bearer {first['secret']}"}
    ) as response:
        assert (await response.json())["status"] == "scanned"


async def test_a_pasted_address_is_scanned_and_another_is_not(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await follower(hand, running, "Ada")
    await page.get_by_test_id("scan").click()
    await page.get_by_test_id("code-address").fill("http://elsewhere.example/q/02nothing")
    await page.get_by_test_id("code-read").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("QR code does not belong to this sandbox")
    await page.get_by_test_id("code-address").fill((await new_code(http, running))["qr_url"])
    await page.get_by_test_id("code-read").click()
    await expect_question(page)


# -- a real phone ----------------------------------------------------------------------------------


async def test_a_list_from_before_a_phone_was_made_does_not_take_it_away(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    """Red when `lookOnce` shows a list older than the phone: the nickname is asked for again, above the codes."""
    page = await hand.new_page()
    await page.goto((await new_code(http, running))["qr_url"])
    await expect(page.get_by_test_id("new-user-name")).to_be_focused()
    asked, made, shown = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.method != "GET" or asked.is_set():
            await route.continue_()
            return
        response = await route.fetch()
        asked.set()
        await made.wait()
        await route.fulfill(response=response)
        shown.set()

    await page.route(re.compile(r"/sandbox/api/users\b"), late)
    async with asyncio.timeout(60):
        await asked.wait()
        await begin(page, "Late", language=None)
        made.set()
        await shown.wait()
    await page.get_by_test_id("code-item").first.tap()
    await page.get_by_test_id("follow").tap()
    await expect_question(page)
    await expect(page.get_by_test_id("new-user-name")).to_be_hidden()


async def test_a_real_phone_comes_by_a_code_and_is_asked_for_a_nickname_only(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    async with http.post(f"{running.phone}/sandbox/api/users", json={"nickname": "Somebody else"}) as response:
        assert response.status == 200
    page = await hand.new_page()
    await page.goto((await new_code(http, running))["qr_url"])
    await expect(page.get_by_test_id("new-user-name")).to_be_focused()
    assert await page.locator("#newcomer :is(input, select):visible").count() == 1
    await begin(page, "Rosa", language=None)
    await page.get_by_test_id("code-item").first.tap()
    await page.get_by_test_id("follow").tap()
    await expect_question(page)
    assert page.url == f"{running.phone}/"

    await page.goto((await new_code(http, running))["qr_url"])
    await page.get_by_test_id("code-item").first.tap()
    await expect(page.get_by_test_id("chat-line")).to_have_count(2)


@pytest.mark.parametrize("width", [320, 360, 430])
async def test_nothing_reaches_over_the_edge_of_a_real_phone(
    running: Demo, browser: Browser, http: ClientSession, width: int
) -> None:
    context = await browser.new_context(**{**REAL_PHONE, "viewport": {"width": width, "height": 640}})
    page = await follower(context, running, "Wim")
    await new_code(http, running)
    await page.get_by_test_id("scan").click()
    await expect(page.get_by_test_id("code-item").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.evaluate("document.documentElement.scrollHeight") == 640
    box = await page.get_by_test_id("camera").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, width)
    await context.close()


async def test_a_code_that_is_gone_says_so(running: Demo, hand: BrowserContext) -> None:
    page = await hand.new_page()
    await page.goto(f"{running.phone}/q/02gone")
    await begin(page, "Gus", language=None)
    await expect(page.get_by_text("has expired")).to_be_visible()


# -- the chat --------------------------------------------------------------------------------------


async def test_changing_phones_changes_the_chat_and_the_language(running: Demo, context: BrowserContext) -> None:
    page = await follower(context, running, "Eve")
    eve = await page.get_by_test_id("user-select").input_value()
    await type_in(page, "from Eve")
    await expect(page.get_by_test_id("chat-line").filter(has_text="from Eve")).to_be_visible()
    await page.get_by_test_id("add-user").click()
    await begin(page, "小明", language="zh_CN")
    await expect(page.get_by_test_id("scan")).to_have_text("扫一扫")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.get_by_test_id("chat-line")).to_have_count(0)
    await page.get_by_test_id("user-select").select_option(eve)
    await expect(page.get_by_test_id("scan")).to_have_text("Scan")
    await expect(page.get_by_test_id("chat-line").filter(has_text="from Eve")).to_be_visible()


async def test_the_keyboard_does_everything_and_the_focus_is_never_lost(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await follower(hand, running, "Kay")
    code = (await new_code(http, running))["qr_url"].rpartition("/")[2]
    await page.get_by_test_id("scan").press("Enter")
    await expect(page.get_by_test_id("camera-close")).to_be_focused()
    assert await page.locator("#beneath").evaluate("node => node.inert")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("scan")).to_be_focused()
    await page.get_by_test_id("scan").press("Enter")
    await page.locator(f'[data-testid="code-item"][data-code="{code}"]').press("Enter")
    await expect_question(page)
    not_me = page.get_by_test_id("chat-link").filter(has_text="Not me").last
    await not_me.press("Enter")
    await expect(page.get_by_test_id("chat-line").filter(has_text="Declined")).to_be_visible()
    await expect(not_me).to_be_focused()


# -- behind the scenes -----------------------------------------------------------------------------


async def test_mischief_is_answered_and_the_answer_is_in_plain_words(
    running: Demo, context: BrowserContext
) -> None:
    page = await follower(context, running, "Max")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    newest = page.get_by_test_id("log-entry").first

    for trick, name, answer in (
        ("unsigned", "Unsigned", "403 bad-signature"),
        ("wrong_token", "Wrong token", "403 bad-signature"),
        ("wrong_key", "Wrong key", "400 invalid-request"),
    ):
        await page.get_by_test_id("mischief").select_option(trick)
        await expect(page.get_by_test_id("armed")).to_contain_text(name)
        await type_in(page, f"forged, {trick}")
        await expect(newest).to_contain_text(f"Message “forged, {trick}”")
        await expect(newest).to_have_attribute("data-state", "refused")
        await expect(newest.get_by_test_id("log-answer")).to_contain_text(f"Rejected with {answer}")
        await expect(page.get_by_test_id("armed")).to_be_hidden()

    await page.get_by_test_id("mischief").select_option("twice")
    await type_in(page, "once and again")
    await expect(newest).to_contain_text("Deliver twice")
    await expect(newest.get_by_test_id("log-answer")).to_have_count(2)
    await expect(newest.get_by_test_id("log-answer").last).to_contain_text("success")

    told = page.get_by_test_id("log-entry").filter(has_text="once and again")
    await expect(told.locator("pre")).to_be_hidden()
    await told.locator("summary").click()
    await expect(told.locator("pre")).to_contain_text("<Content><![CDATA[once and again]]></Content>")
    await page.get_by_test_id("drawer-unfollow").click()
    await expect(newest).to_contain_text("Unfollow")
    await expect(told.locator("pre")).to_be_visible()  # what was opened stays open when something new comes


async def test_a_push_held_back_goes_out_after_the_next(running: Demo, context: BrowserContext) -> None:
    page = await follower(context, running, "Ole")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await page.get_by_test_id("mischief").select_option("out_of_order")
    await type_in(page, "first")
    held = page.get_by_test_id("log-entry").filter(has_text="first")
    await expect(held).to_contain_text("It is sent after the next push.")
    await type_in(page, "second")
    await expect(held).to_have_attribute("data-state", "answered")


# -- for everybody ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desk", "phone"])
async def test_axe_finds_nothing_in_any_state(
    running: Demo, browser: Browser, http: ClientSession, scheme: Any, size: tuple[int, int]
) -> None:
    viewport: Any = {"width": size[0], "height": size[1]}
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = await context.new_page()
    code = await new_code(http, running)
    await page.goto(code["qr_url"])
    await expect(page.get_by_test_id("new-user-name")).to_be_visible()
    await faultless(page, "asked for a nickname")
    await begin(page, "Axel", language=None)
    await expect(page.get_by_test_id("code-item").first).to_be_visible()
    await faultless(page, "camera open")
    await page.get_by_test_id("code-item").first.click()
    await expect(page.get_by_test_id("follow-prompt")).to_be_visible()
    await faultless(page, "asked to follow")
    await page.get_by_test_id("dismiss").click()
    await expect(page.get_by_test_id("follow-by-search")).to_be_visible()
    await faultless(page, "empty")
    await page.get_by_test_id("follow-by-search").click()
    await type_in(page, "hello")
    await expect(page.get_by_test_id("chat-line")).to_have_count(1)
    await faultless(page, "with a chat")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await page.get_by_test_id("mischief").select_option("unsigned")
    await page.get_by_test_id("log-entry").first.locator("summary").click()
    await faultless(page, "drawer open")
    await context.close()


async def faultless(page: Page, state: str) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"
