"""The demo in each engine: a shop whose visitors scan, register and disconnect; the phone is the sandbox's API.

Red when the demo's login form has no action.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from browser_fixture import browser_fixture
from engines.page import Page, code_in
from process import Demo


@dataclass
class Phone:
    """A person's WeChat, by the sandbox's control API."""

    http: ClientSession
    api: str
    user: str

    async def scan(self, page: Page) -> None:
        """Scan the code on the page, and follow the account if WeChat asks to."""
        code = await code_in(await page.shows_a_code())
        if (await self._do("scan", code=code))["outcome"] == "follow_first":
            await self._do("follow")

    async def confirm(self, page: Page) -> None:
        """Scan the code on the page and answer with the number that the page shows then."""
        await self.scan(page)
        await self.say(await page.number())

    async def say(self, text: str) -> None:
        await self._do("say", text=text)

    async def _do(self, what: str, **fields: str) -> dict[str, Any]:
        return await post(self.http, f"{self.api}/{what}", user=self.user, **fields)


async def post(http: ClientSession, address: str, **fields: str) -> dict[str, Any]:
    async with http.post(address, json=fields) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


@browser_fixture
async def phone(running: Demo, http: ClientSession) -> Phone:
    api = f"{running.phone}/sandbox/api"
    return Phone(http, api, (await post(http, f"{api}/users", nickname="Bao", language="en"))["id"])


async def fill(page: Page, way: str, name: str, password: str) -> None:
    """Fill in the form to sign in (`login`) or up (`signup`), and send it."""
    await page.fill(f"{way}-name", name)
    if password:
        await page.fill(f"{way}-password", password)
    await page.press(f"{way}-submit")


async def test_an_account_is_bound_logged_in_to_and_unbound(running: Demo, page: Page, phone: Phone) -> None:
    await page.tab.go(f"{running.shop}/login")
    await fill(page, "login", "ben", "ben")
    await page.shows("whoami", "ben")
    await page.press("portal")
    await phone.confirm(page)
    await page.shows("portal-binding", "WeChat connected")
    await page.shows("portal-account-name", "ben")
    await page.press("portal-return")
    await page.shows("binding", "WeChat connected")

    await page.press("logout")
    await phone.confirm(page)
    await page.shows("whoami", "ben")

    await page.press("portal")
    await page.press("portal-disconnect")
    await page.press("portal-confirm-yes")
    await page.shows_a_code()
    await page.press("portal-return")
    await page.shows("bindings", "No WeChat is connected")


async def test_a_new_wechat_registers_without_a_password(running: Demo, page: Page, phone: Phone) -> None:
    await page.tab.go(f"{running.shop}/login")
    await phone.confirm(page)
    await page.shows("wechat-waiting")
    await page.press("by-name")
    await fill(page, "signup", f"bao {phone.user[-8:]}", "")
    await page.shows("binding", "WeChat connected")
    await page.press("portal")
    await page.press("portal-disconnect")
    await page.shows("portal-only-login", "only way to sign in")
    await page.press("portal-confirm-no")
    await page.hides("portal-confirm")


async def test_a_new_wechat_joins_an_account_with_a_password(running: Demo, page: Page, phone: Phone) -> None:
    await page.tab.go(f"{running.shop}/login")
    await phone.confirm(page)
    await page.press("by-name")
    await page.press("signup-join")
    await fill(page, "signup", f"fei {phone.user[-8:]}", "open sesame")
    await page.shows("whoami", "fei")
    await page.shows("binding", "WeChat connected")


async def test_a_wrong_number_and_a_wrong_password_leave_the_visitor_outside(
    running: Demo, page: Page, phone: Phone
) -> None:
    await page.tab.go(f"{running.shop}/login")
    await phone.scan(page)
    await phone.say("10" if await page.number() != "10" else "11")
    await page.becomes("wrong_number")
    await page.shows("refresh-code")
    await fill(page, "login", "anna", "ben")
    await page.shows("notice")
    await page.shows("login-name")
