"""The sandbox's phone page in a browser: phones, chat, faults, accessibility."""

import asyncio
import re
from typing import Any

import pytest
from aiohttp import ClientSession
from phone import (
    REAL_PHONE,
    begin,
    expect_question,
    faultless,
    follower,
    new_code,
    type_in,
)
from playwright.async_api import Browser, BrowserContext, Route, expect
from process import Demo

# -- a real phone ----------------------------------------------------------------------------------


async def test_a_list_from_before_a_phone_was_made_does_not_take_it_away(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    """Red when the phone shows a list older than the phone: the nickname is asked for again, above the codes."""
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


# -- requests and faults -----------------------------------------------------------------------------


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


async def test_a_unionid_is_given_withheld_and_changed(running: Demo, context: BrowserContext) -> None:
    """Red when the form drops the unionid, or a button of the drawer does not call the endpoint of its name."""
    page = await follower(context, running, "Zoe")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await page.get_by_test_id("add-user").click()
    await page.locator("#more summary").click()
    await page.get_by_test_id("new-user-unionid").fill("u-1")
    await begin(page, "Una")
    told = page.get_by_test_id("unionid-told")
    await expect(told).to_have_text("u-1")
    await page.get_by_test_id("unionid-withhold").click()
    await expect(told).to_have_text("none")
    await page.get_by_test_id("unionid-disclose").click()
    await expect(told).to_have_text("u-1")
    await page.get_by_test_id("unionid-change").click()
    await expect(told).to_have_text(re.compile(r"^o[\w-]{27}$"))


# -- accessibility ---------------------------------------------------------------------------------


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
    await expect(page.get_by_test_id("chat-line")).to_have_count(2)
    await faultless(page, "with a chat")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await page.get_by_test_id("mischief").select_option("unsigned")
    await page.get_by_test_id("log-entry").first.locator("summary").click()
    await faultless(page, "drawer open")
    await context.close()
