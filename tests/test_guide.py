"""Runs every block of docs/integration.md, from top to bottom."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from desk import Desk, at_desk, ended
from playwright.async_api import BrowserContext, Page, async_playwright, expect

GUIDE = Path(__file__).parent.parent / "docs" / "integration.md"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARK = "app = web.Application()"
"""The line of site.py above which the guide inserts code."""

DRAWN = 'f"user-{secrets.token_hex(8)}"'
"""The expression in site.py that draws the id of a new user."""

PINNED = """@routes.get("/pinned")
async def pinned(request):
    return web.FileResponse("pinned.html")"""
STYLE = """(css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [sheet];
}"""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_desk(tmp_path, GUIDE) as desk:
        yield desk


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        context = await browser.new_context(locale="en-US")
        yield context
        await browser.close()


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium, which is not on this machine")
async def test_the_guide_works_from_top_to_bottom(desk: Desk, context: BrowserContext) -> None:
    async with AsyncExitStack() as stack:
        await service_beside_wechat(desk, stack)
        page = await context.new_page()
        user = (await desk.phone("users", nickname="Bao"))["id"]
        name = await first_site(desk, page, user)
        await bindings_by_hand(desk, name)
        await connect_when_signed_in(desk, page, user)
        await portal(desk, page, user)
        await the_element(desk, page, user)
        await without_the_element(desk, user)
        await reused_user_id(desk, page, user)
    assert desk.guide.left == []


async def service_beside_wechat(desk: Desk, stack: AsyncExitStack) -> None:
    """Section 1: configure the service with the accounts that the sandbox prints, and the site of the guide."""
    printed = await desk.sandbox(stack, desk.guide.take("sh"))
    accounts = printed.partition("apps:")[0]
    (desk.folder / "my.yaml").write_text(accounts + desk.guide.take("yaml"), encoding="utf-8")
    await stack.enter_async_context(ended(await desk.start(desk.guide.take("sh"))))
    await desk.wait_for(f"{desk.service}/readyz")


@asynccontextmanager
async def running_site(desk: Desk) -> AsyncIterator[None]:
    async with ended(await desk.start("python site.py")):
        await desk.wait_for(f"{desk.site}/")
        yield


def add_to_site(desk: Desk, block: str) -> None:
    file = desk.folder / "site.py"
    before, mark, after = file.read_text(encoding="utf-8").partition(MARK)
    assert mark
    file.write_text(f"{before}{block}\n\n\n{mark}{after}", encoding="utf-8")


async def log_in(desk: Desk, page: Page, user: str) -> str:
    """Scan the QR code of the first page and answer with its number; return the user id that the page greets."""
    await page.context.clear_cookies()
    await page.goto(f"{desk.site}/")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await answer(desk, page, user)
    return await greeted(page)


async def greeted(page: Page) -> str:
    """Return the user id that the page greets."""
    heading = page.get_by_role("heading", name="Hello, ")
    await expect(heading).to_have_text(re.compile(r"^Hello, user-[0-9a-f]{16}$"))
    return (await heading.inner_text()).removeprefix("Hello, ")


async def answer(desk: Desk, page: Page, user: str) -> None:
    await desk.scan(user, await desk.newest_code())
    match = page.get_by_test_id("match")
    await expect(match).to_be_visible()
    await desk.phone("say", user=user, text=await match.inner_text())


async def first_site(desk: Desk, page: Page, user: str) -> str:
    """Sections 2 and 3: a new person is registered, then logged in the next time; return the user id."""
    (desk.folder / "site.py").write_text(desk.guide.take("python") + "\n", encoding="utf-8")
    assert desk.guide.take("sh") == "python site.py"
    async with running_site(desk):
        name = await log_in(desk, page, user)
        assert await log_in(desk, page, user) == name
        await login_of_another_visitor(desk, user)
    return name


async def login_of_another_visitor(desk: Desk, user: str) -> None:
    """Check that a login code with another `state` is refused."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as visitor:
        async with visitor.get(f"{desk.site}/") as first:
            assert "Log in" in await first.text()
        body = {"purpose": "login", "client_id": "shop", "state": "another"}
        headers = {"Origin": desk.site}
        async with visitor.post(f"{desk.service}/v1/tickets", json=body, headers=headers) as made:
            ticket = await made.json()
        await desk.scan(user, ticket["qr_url"])
        address, bearer = f"{desk.service}/v1/tickets/{ticket['ticket']}", f"Bearer {ticket['secret']}"
        async with visitor.get(address, headers={"Authorization": bearer}) as scanned:
            await desk.phone("say", user=user, text=(await scanned.json())["match"])
        async with visitor.get(address, headers={"Authorization": bearer}) as confirmed:
            code = (await confirmed.json())["code"]
        async with visitor.post(f"{desk.site}/login", data={"code": code}) as refused:
            assert refused.status == 403


def same_shape(shown: str, real: str) -> None:
    """Check that a response has exactly the fields that the guide shows."""
    expected, actual = json.loads(shown), json.loads(real)
    assert expected.keys() == actual.keys()
    for name, inner in expected.items():
        if isinstance(inner, list) and isinstance(inner[0], dict):
            assert inner[0].keys() == actual[name][0].keys()


async def bindings_by_hand(desk: Desk, name: str) -> None:
    """Section 4, for the user with that id."""
    query = desk.guide.take("sh").replace("USER", name)
    same_shape(desk.guide.take("json"), answered := await desk.run(query))
    assert json.loads(answered)["user_id"] == name
    assert await desk.run(desk.guide.take("sh").replace("USER", name)) == ""
    assert json.loads(await desk.run(query))["bindings"] == []


async def connect_when_signed_in(desk: Desk, page: Page, user: str) -> None:
    """Section 5: a user without a WeChat binds one, and logs in with it."""
    add_to_site(desk, desk.guide.take("python"))
    async with running_site(desk):
        name = await log_in(desk, page, user)
        await desk.run(f"curl -s -u shop:password-of-the-shop -X DELETE {desk.service}/v1/bindings/{name}")
        await page.goto(f"{desk.site}/connect")
        await expect(page.get_by_test_id("qr")).to_be_visible()
        await answer(desk, page, user)
        await expect(page.get_by_text("WeChat is connected")).to_be_visible()
        assert await log_in(desk, page, user) == name


async def portal(desk: Desk, page: Page, user: str) -> None:
    """Section 6: the portal behind the button, and its element in a page of the site."""
    add_to_site(desk, desk.guide.take("python"))
    button = desk.guide.take("html")
    add_to_site(desk, desk.guide.take("python"))
    async with running_site(desk):
        name = await log_in(desk, page, user)
        await append(page, button)
        await page.get_by_role("button", name="WeChat settings").click()
        await expect(page.get_by_test_id("portal-binding")).to_be_visible()
        await expect(page.get_by_test_id("portal-only-login")).to_be_visible()
        await page.get_by_test_id("portal-return").click()
        assert await greeted(page) == name
        await page.goto(f"{desk.site}/account")
        await expect(page.get_by_test_id("portal-binding")).to_be_visible()


async def append(page: Page, html: str) -> None:
    """Append HTML to the page."""
    write = "(html) => document.body.append(document.createRange().createContextualFragment(html))"
    await page.evaluate(write, html)


async def the_element(desk: Desk, page: Page, user: str) -> None:
    """Section 7: script, style and attributes of the element, and the tags that pin it."""
    script, style, html, pin, fallback = (
        desk.guide.take(language) for language in ("js", "css", "html", "sh", "html")
    )
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    pinned_page(desk, await desk.run(pin))
    async with running_site(desk):
        await log_in(desk, page, user)
        await page.evaluate(f"() => {{ {script} }}")
        code = page.locator("scanbind-qr")
        await expect(code.get_by_test_id("qr")).to_be_visible()
        assert logged == ["loading", "waiting"]
        before = (await code.bounding_box() or {})["width"]
        await page.evaluate(STYLE, style)
        assert (await code.bounding_box() or {})["width"] < before
        await append(page, html)
        await expect(page.get_by_text("打开微信扫一扫")).to_be_visible()
        await append(page, fallback)
        await expect(page.get_by_test_id("qr")).to_have_count(3)
        await expect(page.get_by_text("Log in with a password")).to_be_hidden()
        await page.goto(f"{desk.site}/pinned")
        await expect(page.get_by_test_id("qr")).to_be_visible()
        assert await page.evaluate("customElements.get('scanbind-portal') !== undefined")


def pinned_page(desk: Desk, tags: str) -> None:
    """Add a page to the site that loads only the pinned scripts."""
    (desk.folder / "pinned.html").write_text(f'<!doctype html>{tags}<scanbind-qr client-id="shop"></scanbind-qr>')
    add_to_site(desk, PINNED)


async def without_the_element(desk: Desk, user: str) -> None:
    """Section 8: create, follow and exchange a ticket without a browser."""
    made = await desk.run(desk.guide.take("sh"))
    same_shape(desk.guide.take("json"), made)
    ticket = json.loads(made)
    (desk.folder / "follow.py").write_text(desk.guide.take("python") + "\n", encoding="utf-8")
    command = f"python follow.py {ticket['ticket']} {ticket['secret']}"
    async with ended(await desk.start(command)) as follower, asyncio.timeout(20):
        assert follower.stdout
        assert (await follower.stdout.readline()).decode().split() == ["pending"]
        await desk.scan(user, ticket["qr_url"])
        scanned, match = (await follower.stdout.readline()).decode().split()
        await desk.phone("say", user=user, text=match)
        confirmed, code = (await follower.stdout.readline()).decode().split()
        assert (scanned, confirmed, await follower.wait()) == ("scanned", "confirmed", 0)
    exchange = desk.guide.take("sh").replace("CODE", code)
    same_shape(desk.guide.take("json"), await desk.run(exchange))


async def reused_user_id(desk: Desk, page: Page, user: str) -> None:
    """Check that a new person gets a new user id, and that a reused one is refused."""
    async with running_site(desk):
        name = await log_in(desk, page, user)
        assert await log_in(desk, page, (await desk.phone("users", nickname="Cai"))["id"]) != name
    file = desk.folder / "site.py"
    before, drawn, after = file.read_text(encoding="utf-8").partition(DRAWN)
    assert drawn
    file.write_text(f"{before}{name!r}{after}", encoding="utf-8")
    async with running_site(desk):
        await page.context.clear_cookies()
        await page.goto(f"{desk.site}/")
        await expect(page.get_by_test_id("qr")).to_be_visible()
        await answer(desk, page, (await desk.phone("users", nickname="Dai"))["id"])
        await expect(page.get_by_text("Please scan again.")).to_be_visible()
