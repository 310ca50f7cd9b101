"""The phone page with several Official Accounts: each has its chat, its codes and its pushes.

Red when a text goes into another account's chat, when a scan leaves another chat open, when the push log does not
tell the accounts apart, and when an account's own QR code leads nowhere.
"""

from typing import Any

from aiohttp import ClientSession
from phone import begin, expect_question, phone, type_in
from playwright.async_api import BrowserContext, expect
from process import Demo

PERSONAL = "个人公众号 Personal account"
TEST = "测试号 Test account"
SERVICE = "服务号 Service account"


async def ticket_of(http: ClientSession, where: Demo, client: str, method: str) -> dict[str, Any]:
    body = {"purpose": "login", "client_id": client, "method": method, "lang": "en"}
    async with http.post(f"{where.service}/v1/tickets", json=body, headers={"Origin": where.shop}) as response:
        assert response.status == 201, await response.text()
        return dict(await response.json())


async def own_code(http: ClientSession, where: Demo, name: str) -> str:
    """Return the address in an account's own QR code."""
    async with http.get(f"{where.phone}/sandbox/api/accounts") as response:
        accounts = (await response.json())["accounts"]
    return f"{where.phone}/r/{next(one['gh_id'] for one in accounts if one['name'] == name)}"


async def test_a_passcode_is_typed_into_the_chat_that_the_accounts_own_code_opens(
    running: Demo, context: BrowserContext, http: ClientSession
) -> None:
    page = await phone(context, running, "Chooser")
    account, chat = page.get_by_test_id("account-select"), page.get_by_test_id("chat")
    await page.get_by_role("button", name=f"Scan the QR code of the account {PERSONAL} itself").click()
    await page.get_by_test_id("follow").click()
    await expect(account.locator("option:checked")).to_have_text(PERSONAL)
    await type_in(page, (await ticket_of(http, running, "shop_personal", "passcode"))["passcode"])
    await expect_question(page)
    await account.select_option(SERVICE)
    await expect(page.get_by_test_id("follow-by-search")).to_be_visible()
    await expect(chat.get_by_test_id("chat-line")).to_have_count(0)


async def test_a_scan_opens_the_chat_of_its_account_and_the_log_names_it(
    running: Demo, context: BrowserContext, http: ClientSession
) -> None:
    page = await phone(context, running, "Scanner")
    for client, name in (("shop_test", TEST), ("shop_service", SERVICE)):
        ticket = await ticket_of(http, running, client, "scan")
        await page.get_by_test_id("code-address").fill(ticket["qr_url"])
        await page.get_by_test_id("code-read").click()
        await expect(page.get_by_role("heading", name=name)).to_be_visible()
        await page.get_by_test_id("follow").click()
        await expect_question(page)
        await expect(page.get_by_test_id("account-select").locator("option:checked")).to_have_text(name)
    await page.get_by_test_id("drawer").locator("summary").first.click()
    entries = page.get_by_test_id("log-entry")
    await expect(entries.filter(has_text=TEST)).to_have_count(1)
    await expect(entries.filter(has_text=SERVICE)).to_have_count(1)


async def test_the_own_code_of_an_account_opens_its_chat(
    running: Demo, context: BrowserContext, http: ClientSession
) -> None:
    page = await phone(context, running, "Pasting")
    await page.get_by_test_id("code-address").fill(await own_code(http, running, PERSONAL))
    await page.get_by_test_id("code-read").click()
    await page.get_by_test_id("follow").click()
    await expect(page.get_by_test_id("account-select").locator("option:checked")).to_have_text(PERSONAL)
    await expect(page.get_by_test_id("unfollow")).to_be_visible()


async def test_a_real_phone_that_comes_by_an_accounts_own_code_is_asked_to_follow_it(
    running: Demo, hand: BrowserContext, http: ClientSession
) -> None:
    page = await hand.new_page()
    await page.goto(await own_code(http, running, TEST))
    await begin(page, "Passer", language=None)
    await expect(page.get_by_role("heading", name=TEST)).to_be_visible()
    await page.get_by_test_id("follow").tap()
    await expect(page.get_by_test_id("unfollow")).to_be_visible()
