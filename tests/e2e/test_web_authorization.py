"""WeChat's authorization pages in a browser, with the phone page beside them.

Red when the page of a website's login leaves its frame under self_redirect.
"""

import html
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from browser_fixture import browser_fixture
from harness import ACCOUNT, WEBSITE
from phone import begin, faultless, hand_over
from playwright.async_api import BrowserContext, Page, expect
from serving import listening

from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox


@dataclass
class Town:
    """An emulated WeChat, and a site that shows a login in a frame and tells what came back."""

    sandbox: Sandbox
    wechat: str
    site: str

    def address(self, path: str, appid: str, **given: str) -> str:
        query = {"appid": appid, "redirect_uri": f"{self.site}/back", "response_type": "code", **given}
        return f"{self.wechat}/connect/{path}?{urlencode(query)}#wechat_redirect"

    def login(self, **looks: str) -> str:
        return self.address("qrconnect", WEBSITE.appid, scope="snsapi_login", state="s1", lang="en", **looks)


async def _framed(request: web.Request) -> web.Response:
    return _shown(f'<iframe src="{html.escape(request.query["src"])}" width="300" height="400"></iframe>')


async def _back(request: web.Request) -> web.Response:
    return _shown(f"<p>told: {html.escape(' '.join(sorted(request.query)))}</p>")


def _shown(body: str) -> web.Response:
    head = '<!doctype html><title>Site</title><link rel="icon" href="data:,">'
    return web.Response(text=head + body, content_type="text/html")


@browser_fixture
async def town() -> AsyncIterator[Town]:
    account = replace(ACCOUNT, oauth="userinfo", name="Shop account")
    wechat = make_app([account], [replace(WEBSITE, name="Example site")], public_url="http://weixin.qq.com")
    site = web.Application()
    site.router.add_get("/framed", _framed)
    site.router.add_get("/back", _back)
    async with listening(wechat) as theirs, listening(site) as ours:
        wechat[SANDBOX].public_url = theirs
        yield Town(wechat[SANDBOX], theirs, ours)


async def phone(context: BrowserContext, town: Town, nickname: str = "Anna") -> Page:
    page = await context.new_page()
    await page.goto(f"{town.wechat}/")
    await begin(page, nickname)
    return page


async def test_a_login_in_a_frame_comes_back_in_the_frame_and_the_site_stays(
    town: Town, context: BrowserContext, hand: BrowserContext
) -> None:
    site = await context.new_page()
    framed = f"{town.site}/framed?{urlencode({'src': town.login(self_redirect='true')})}"
    await site.goto(framed)
    frame = site.frame_locator("iframe")
    shown = frame.locator("[data-state]:visible")
    await expect(shown).to_have_text("Scan with WeChat to log in to Example site")
    await expect(frame.locator("img")).to_have_js_property("complete", True)

    anna = await phone(hand, town)
    await anna.get_by_test_id("scan").click()
    await anna.get_by_test_id("code-item").tap()
    await expect(shown).to_have_text("Scanned. Tap “Allow” in WeChat.")
    await expect(anna.get_by_test_id("consent")).to_contain_text("Example site")
    await faultless(anna, "asked by a website")
    await anna.get_by_test_id("consent-allow").tap()
    await expect(frame.get_by_text("told: code state")).to_be_visible()
    assert site.url == framed
    await expect(anna.get_by_test_id("scan")).to_be_focused()


async def test_a_login_in_a_window_comes_back_in_it(
    town: Town, context: BrowserContext, hand: BrowserContext
) -> None:
    site = await context.new_page()
    await site.goto(town.login())
    await faultless(site, "login")
    picture = await site.locator("img").screenshot()
    anna = await phone(hand, town)
    await hand_over(anna, "paste", picture)
    await anna.get_by_test_id("consent-allow").tap()
    await site.wait_for_url(f"{town.site}/back?**")


async def test_a_refused_login_stays_and_says_so(
    town: Town, context: BrowserContext, hand: BrowserContext
) -> None:
    site = await context.new_page()
    await site.goto(town.login())
    anna = await phone(hand, town)
    source = await site.locator("main").get_attribute("data-consent")
    await anna.goto(f"{town.wechat}/connect/confirm?uuid={source}")
    await anna.get_by_test_id("code-item").first.tap()
    await expect(anna.get_by_test_id("consent-allow")).to_be_focused()
    await anna.keyboard.press("Escape")
    await expect(site.locator("[data-state]:visible")).to_contain_text("You have cancelled this login")
    assert urlsplit(site.url).path == "/connect/qrconnect"
    await expect(anna.get_by_test_id("consent")).to_be_hidden()
    assert urlsplit(anna.url).path == "/"


async def test_another_browser_is_not_inside_wechat(town: Town, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(town.address("oauth2/authorize", ACCOUNT.appid))
    await expect(page.get_by_test_id("notice")).to_contain_text("请在微信客户端打开链接")
    await faultless(page, "a notice")
