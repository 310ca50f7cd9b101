"""Registration by phone with the sandbox's phone, and the SMS there, in a browser.

Red when a step needs a mouse, is a barrier to assistive technology, or the phone shows the SMS of another number.
"""

import re

import pytest
from aiohttp import ClientSession
from phone import faultless, phone
from playwright.async_api import BrowserContext, Page, expect
from process import Demo

ANNA = "13900000001"


async def scan_in(shop: Page, page: Page, where: Demo) -> None:
    """Log in at the shop by the newest code in the camera of a new follower, and answer in the chat."""
    await shop.goto(f"{where.shop}/login?lang=en")
    await expect(shop.get_by_test_id("qr")).to_be_visible()
    ticket = await shop.evaluate("told.findLast((one) => one.ticket).ticket")
    await page.bring_to_front()
    await page.get_by_test_id("scan").click()
    await page.locator(f'[data-scene^="{ticket}"]').click()
    await page.get_by_test_id("follow").click()
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("match")).to_have_text(re.compile("[0-9]{2}"))
    number = (await shop.get_by_test_id("match").inner_text()).strip()
    await page.bring_to_front()
    await page.get_by_test_id("chat-link").filter(has_text=number).last.click()
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("wechat-waiting")).to_be_visible()


async def code_on(page: Page) -> str:
    """Return the code that the notification on the phone tells."""
    await page.bring_to_front()
    notice = page.get_by_test_id("sms-notice")
    await expect(notice).to_contain_text(re.compile("[0-9]{6}"))
    return re.findall("[0-9]{6}", await notice.inner_text())[0]


async def test_a_newcomer_registers_by_phone_with_the_keyboard_alone(
    running: Demo, context: BrowserContext
) -> None:
    page = await phone(context, running, "Kim")
    shop = await context.new_page()
    await scan_in(shop, page, running)
    number = await page.get_by_test_id("phone-number").inner_text()
    await faultless(shop, "the number is asked for")
    await shop.get_by_test_id("phone-number").focus()
    await shop.keyboard.type(number)
    await shop.keyboard.press("Enter")
    await expect(shop.get_by_test_id("phone-code")).to_be_focused()
    await faultless(shop, "the code is asked for")
    await shop.keyboard.type("no code")
    await shop.keyboard.press("Enter")
    await expect(shop.get_by_role("alert")).to_be_visible()
    await faultless(shop, "the code is wrong")
    code = await code_on(page)
    await shop.bring_to_front()
    await expect(shop.get_by_test_id("phone-code")).to_be_focused()
    await shop.keyboard.type(code)
    await shop.keyboard.press("Tab")
    await expect(shop.get_by_test_id("phone-join")).to_be_focused()
    await shop.keyboard.press("Space")
    await shop.keyboard.press("Enter")
    await expect(shop.get_by_test_id("binding")).to_be_visible()
    await expect(shop.get_by_test_id("whoami")).to_contain_text(number[-4:])
    await faultless(shop, "the account")


async def test_a_second_tab_goes_on_where_the_first_was_closed(running: Demo, context: BrowserContext) -> None:
    page = await phone(context, running, "Luo")
    shop = await context.new_page()
    await scan_in(shop, page, running)
    number = await page.get_by_test_id("phone-number").inner_text()
    await shop.close()
    shop = await context.new_page()
    await shop.goto(f"{running.shop}/phone")
    await shop.get_by_test_id("phone-number").fill(number)
    await shop.get_by_test_id("phone-send").click()
    code = await code_on(page)
    await shop.bring_to_front()
    await shop.get_by_test_id("phone-code").fill(code)
    await shop.get_by_test_id("phone-submit").click()
    await shop.get_by_test_id("connect").click()
    await expect(shop.get_by_test_id("binding")).to_be_visible()


async def send(http: ClientSession, where: Demo, number: str, text: str) -> None:
    body = {"number": number.replace(" ", ""), "text": text}
    async with http.post(f"{where.phone}/sandbox/sms", json=body) as response:
        assert response.status == 200


@pytest.mark.parametrize("language", ["en", "zh_CN"])
async def test_the_phone_shows_its_own_sms_and_the_tools_those_of_all(
    running: Demo, hand: BrowserContext, http: ClientSession, language: str
) -> None:
    page = await phone(hand, running, "Mo", language=language)
    own = page.get_by_test_id("sms-list").get_by_test_id("sms-line")
    number = await page.get_by_test_id("phone-number").inner_text()
    await send(http, running, ANNA, "for anna")
    await send(http, running, number, "<b>first</b>")
    await send(http, running, number, "second")
    notice = page.get_by_test_id("sms-notice")
    await expect(notice).to_contain_text("second")
    await faultless(page, "a notification")
    await page.get_by_test_id("sms-dismiss").click()
    await expect(notice).to_be_empty()
    await page.get_by_test_id("sms").locator("summary").click()
    await expect(own).to_have_count(2)
    await expect(own.last).to_contain_text("<b>first</b>")
    await faultless(page, "the list of SMS")
    assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    await page.get_by_test_id("drawer").locator("summary").first.click()
    await expect(page.get_by_test_id("sms-log")).to_contain_text("for anna")
    await expect(page.get_by_test_id("sms-log")).to_contain_text("139 0000 0001")
    await faultless(page, "the log of SMS")


async def test_an_sms_is_seen_above_a_page_inside_wechat(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await phone(hand, running, "Nan")
    await page.get_by_test_id("visit-start").click()
    await page.get_by_test_id("visit-open").click()
    await expect(page.get_by_test_id("browser")).to_be_visible()
    await send(http, running, await page.get_by_test_id("phone-number").inner_text(), "above")
    await expect(page.get_by_test_id("sms-notice")).to_contain_text("above")
    await page.get_by_test_id("sms-dismiss").click()
    await expect(page.get_by_test_id("sms-notice")).to_be_empty()
    await page.get_by_test_id("browser-close").click()


async def test_another_user_of_the_phone_page_sees_other_sms(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await phone(hand, running, "Ou")
    await send(http, running, await page.get_by_test_id("phone-number").inner_text(), "for Ou alone")
    await expect(page.get_by_test_id("sms-notice")).to_contain_text("for Ou alone")
    await page.get_by_test_id("add-user").click()
    await page.get_by_test_id("new-user-name").fill("Pan")
    await page.get_by_test_id("new-user").click()
    await expect(page.get_by_test_id("sms-notice")).to_be_empty()
    await expect(page.get_by_test_id("sms")).to_be_hidden()
