"""The browser inside WeChat, as a frame in the phone page.

Red when the frame is another origin than the phone page, or when a page in it gets the real browser's cookies.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from browser_fixture import browser_fixture
from harness import ACCOUNT
from phone import begin, drawn, faultless, hand_over
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, expect
from serving import listening

from sandbox.app import AUTHORIZATION, SANDBOX, make_app
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.emulator import Sandbox

SCRIPT = "document.querySelector('output').textContent = `script of ${new URL('.', import.meta.url).pathname}`"
HOME = """<title>Site</title><h1>visit {visits}</h1>
<form method="post" action="/form"><button>Send</button></form>
<a href="page" target="_blank">Next</a> <a href="https://elsewhere.example/">Away</a>
<output></output><script src="/site.js" type="module"></script><script>document.title = "inline"</script>"""


@dataclass
class Town:
    """An emulated WeChat, and a site whose pages it opens."""

    sandbox: Sandbox
    authorization: WebAuthorization
    wechat: str
    site: str = ""
    agents: list[str] = field(default_factory=list)

    def asks(self, scope: str) -> str:
        about = {
            "appid": ACCOUNT.appid,
            "redirect_uri": f"{self.site}/back",
            "response_type": "code",
            "scope": scope,
        }
        return f"{self.wechat}/connect/oauth2/authorize?{urlencode({**about, 'state': 's1'})}#wechat_redirect"

    async def home(self, request: web.Request) -> web.Response:
        """A page with a style sheet and a script, which counts visits with a cookie."""
        self.agents.append(request.headers["User-Agent"])
        visits = int(request.cookies.get("visits", "0")) + 1
        response = shown(HOME.format(visits=visits))
        policy = f"default-src 'none'; script-src {self.site} 'unsafe-inline'; form-action 'self'"
        response.headers["Content-Security-Policy"] = policy
        response.set_cookie("visits", str(visits))
        return response

    async def script(self, _: web.Request) -> web.Response:
        return web.Response(text=SCRIPT, content_type="text/javascript")

    async def form(self, request: web.Request) -> web.Response:
        if request.headers["Origin"] != self.site or request.headers["Sec-Fetch-Site"] != "same-origin":
            raise web.HTTPForbidden
        return web.Response(status=303, headers={"Location": f"/page?{urlencode({'from': 'form'})}"})

    async def page(self, request: web.Request) -> web.Response:
        return shown(f"<title>Next</title><h1>told: {' '.join(sorted(request.query))}</h1>")


def shown(body: str) -> web.Response:
    head = "<!doctype html><html lang=en><link rel=icon href='data:,'><main>"
    return web.Response(text=head + body, content_type="text/html")


@browser_fixture
async def town() -> AsyncIterator[Town]:
    account = replace(ACCOUNT, oauth="userinfo", name="Shop account", callback_url="http://127.0.0.1:1/wechat")
    wechat = make_app([account], public_url="http://weixin.qq.com")
    site, made = web.Application(), Town(wechat[SANDBOX], wechat[AUTHORIZATION], "")
    for path, answer in (("/", made.home), ("/site.js", made.script), ("/page", made.page), ("/back", made.page)):
        site.router.add_get(path, answer)
    site.router.add_post("/form", made.form)
    async with listening(wechat) as made.wechat, listening(site) as made.site:
        made.sandbox.public_url = made.wechat
        yield made


async def phone(context: BrowserContext, town: Town, nickname: str = "Anna") -> Page:
    page = await context.new_page()
    await page.goto(f"{town.wechat}/")
    await begin(page, nickname)
    return page


async def opened(page: Page, address: str) -> FrameLocator:
    """Open a page by its address; return what the frame shows."""
    await page.get_by_test_id("visit-start").click()
    await page.get_by_test_id("visit-address").fill(address)
    await page.get_by_test_id("visit-open").click()
    return page.frame_locator('[data-testid="browser-page"]')


async def test_a_page_is_opened_left_reloaded_and_closed(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    frame = await opened(anna, f"{town.site}/")
    heading = frame.get_by_role("heading")
    await expect(heading).to_have_text("visit 1")
    assert all("MicroMessenger/" in agent for agent in town.agents)
    host = town.site.removeprefix("http://")
    await expect(anna.get_by_test_id("browser-host")).to_have_text(host)
    await expect(frame.locator("output")).to_have_text(re.compile(rf"^script of /inside/u_\w+/http/{host}/$"))
    await expect(anna.locator("#browser-title")).to_have_text("Site")  # inline scripts do not run
    await faultless(anna, "a page in the browser")
    await anna.get_by_test_id("browser-reload").click()
    await expect(heading).to_have_text("visit 2")
    await frame.get_by_role("button", name="Send").click()
    await expect(heading).to_have_text("told: from")
    await expect(anna.locator("#browser-title")).to_have_text("Next")
    await anna.get_by_test_id("browser-back").click()
    await expect(heading).to_have_text("visit 2")
    await frame.get_by_role("link", name="Next").click()
    await expect(heading).to_have_text("told:")
    await anna.get_by_test_id("browser-back").click()
    await frame.get_by_role("link", name="Away").click()
    await expect(frame.get_by_test_id("notice")).to_contain_text("https://elsewhere.example")
    await faultless(anna, "a page that is refused")
    await anna.get_by_test_id("browser-close").click()
    await expect(anna.get_by_test_id("browser")).to_be_hidden()
    await expect(anna.get_by_test_id("scan")).to_be_focused()
    assert await hand.cookies() == []


async def test_back_on_the_first_page_leads_to_the_chat(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    frame = await opened(anna, f"{town.site}/")
    await expect(frame.get_by_role("heading")).to_have_text("visit 1")
    await anna.get_by_test_id("browser-back").click()
    await expect(anna.get_by_test_id("browser")).to_be_hidden()
    assert anna.url == f"{town.wechat}/"


async def test_another_user_has_a_browser_of_their_own(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    await expect((await opened(anna, f"{town.site}/")).get_by_role("heading")).to_have_text("visit 1")
    await anna.get_by_test_id("add-user").click()
    await begin(anna, "Ben")
    await expect(anna.get_by_test_id("browser")).to_be_hidden()
    await expect((await opened(anna, f"{town.site}/")).get_by_role("heading")).to_have_text("visit 1")


@pytest.mark.parametrize(("answer", "told"), [("allow", "told: code state"), ("refuse", "told: state")])
async def test_a_scanned_page_opens_inside_wechat_and_asks(
    town: Town, hand: BrowserContext, answer: str, told: str
) -> None:
    anna = await phone(hand, town)
    await hand_over(anna, "paste", drawn(town.asks("snsapi_userinfo")))
    frame = anna.frame_locator('[data-testid="browser-page"]')
    await expect(frame.get_by_test_id("authorize")).to_contain_text("Shop account")
    await faultless(anna, "asked by an account")
    await frame.get_by_test_id(answer).click()
    await expect(frame.get_by_text(told, exact=True)).to_be_visible()


async def test_a_pasted_address_is_opened_like_a_scanned_one(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    await anna.get_by_test_id("scan").click()
    await anna.get_by_test_id("code-address").fill(f"{town.site}/page")
    await anna.get_by_test_id("code-read").click()
    await expect(anna.get_by_test_id("browser-host")).to_have_text(town.site.removeprefix("http://"))
    await expect(anna.get_by_test_id("camera")).to_be_hidden()
    await anna.get_by_test_id("browser-close").press("Escape")
    await expect(anna.get_by_test_id("scan")).to_be_focused()


async def test_a_link_in_the_chat_opens_inside_wechat(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    contact = town.sandbox.contact(town.sandbox.people.all()[-1])
    contact.write("account", f'<a href="{town.asks("snsapi_base")}">Log in</a>', now=town.sandbox.clock())
    await anna.get_by_test_id("chat-page-link").click()
    frame = anna.frame_locator('[data-testid="browser-page"]')
    await expect(frame.get_by_text("told: code state", exact=True)).to_be_visible()


async def test_the_full_service_ends_a_snapshot_and_its_cookies(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    await anna.get_by_test_id("drawer").locator("summary").first.click()
    await anna.get_by_test_id("snapshots").check()
    await anna.get_by_test_id("drawer").locator("summary").first.click()
    frame = await opened(anna, f"{town.site}/")
    await expect(frame.get_by_role("heading")).to_have_text("visit 1")
    await anna.get_by_test_id("browser-reload").click()
    await expect(frame.get_by_role("heading")).to_have_text("visit 2")
    await faultless(anna, "a snapshot")
    assert town.authorization.shows_snapshots(town.sandbox.people.all()[-1])
    await anna.get_by_test_id("full-service").click()
    await expect(frame.get_by_role("heading")).to_have_text("visit 1")
    await expect(anna.get_by_test_id("full-service")).to_be_hidden()
    assert not town.authorization.shows_snapshots(town.sandbox.people.all()[-1])


async def test_sns_calls_fail_as_chosen(town: Town, hand: BrowserContext) -> None:
    anna = await phone(hand, town)
    await anna.get_by_test_id("drawer").locator("summary").first.click()
    async with anna.expect_response("**/sandbox/api/sns_fault"):
        await anna.get_by_test_id("sns-fault").select_option("day_quota")
    assert town.authorization.fault == "day_quota"
    async with anna.expect_response("**/sandbox/api/sns_fault"):
        await anna.get_by_test_id("sns-fault").select_option("")
    assert town.authorization.fault is None


@pytest.mark.parametrize("width", [320, 390])
async def test_nothing_reaches_over_the_edge_of_a_phone(town: Town, browser: Browser, width: int) -> None:
    viewport: Any = {"width": width, "height": 640}
    context = await browser.new_context(viewport=viewport, color_scheme="dark", locale="zh-CN")
    anna = await phone(context, town)
    await anna.get_by_test_id("visit-start").click()
    await faultless(anna, "asked for an address")
    await anna.keyboard.press("Escape")
    frame = await opened(anna, f"{town.site}/")
    await expect(frame.get_by_role("heading")).to_have_text("visit 1")
    assert await anna.evaluate("document.documentElement.scrollWidth") == width
    box = await anna.get_by_test_id("browser-page").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, width)
    await context.close()
