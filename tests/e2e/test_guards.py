"""Guards of the portal's page in a browser, over HTTPS: which sites may frame it, and what it runs.

`www.shop.localhost` and `login.shop.localhost` are one site to browsers; `www.elsewhere.localhost` is another.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from browser_fixture import browser_fixture
from harness import World, client
from pages import Site, arrive
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, expect
from portal_client import link
from proxy import proxy
from tls import own_certificate
from widget import Console, until

BLOCKED = "Framing 'https://login.shop.localhost"
FAILED = "Failed to load resource"
FRAMES = "default-src 'none'; frame-src https:"
MARKUP = "\"'><img src=x onerror=hit=1><script>hit=1</script>"
BREACHES = """
globalThis.breaches = [];
addEventListener("securitypolicyviolation", ({ effectiveDirective }) => breaches.push(effectiveDirective));
"""


@dataclass
class Hosts:
    """A service and a site by https; any host below localhost leads to them."""

    world: World
    site: Site
    shop_port: int

    def at(self, host: str) -> str:
        """Return the origin of the site's pages under another name."""
        return f"https://{host}.localhost:{self.shop_port}"

    async def frame(self, context: BrowserContext, address: str, *, host: str) -> tuple[Page, FrameLocator]:
        """Open a page at *host* that frames *address*."""
        self.site.put(f'<iframe src="{address}" width="600" height="900"></iframe>', head="", policy=FRAMES)
        page = await context.new_page()
        await page.goto(self.at(host))
        return page, page.frame_locator("iframe")


@browser_fixture
async def hosts(make: Callable[..., Any], site: Site, tmp_path: Path) -> AsyncIterator[Hosts]:
    tls = own_certificate(tmp_path)
    async with proxy(tls=tls) as service, proxy(site.origin, tls=tls) as shop:
        port = urlsplit(shop.url).port
        assert port
        listed = [f"https://www.{one}.localhost:{port}" for one in ("shop", "elsewhere")]
        world = await make(
            server={"public_url": f"https://login.shop.localhost:{urlsplit(service.url).port}"},
            clients={
                "shop": client("shop", origins=listed) | {"name": {"zh": f"店{MARKUP}", "en": f"Shop{MARKUP}"}},
                "club": client("club", origins=[f"https://www.club.localhost:{port}"]),
            },
        )
        service.target = world.url
        yield Hosts(world, site, port)


@browser_fixture
async def context(browser: Browser, console: Console) -> AsyncIterator[BrowserContext]:
    """One person's browser, which lets every certificate pass; what a page's policy forbids fails the test."""
    context = await browser.new_context(ignore_https_errors=True, locale="en-US")
    console.watch(context)
    await context.add_init_script(BREACHES)
    yield context
    await context.close()
    assert console.unexpected == []


async def connect(hosts: Hosts, shown: Page | FrameLocator) -> None:
    """Scan the code that is shown, and answer with the number that is shown then."""
    person = await hosts.world.person()
    await expect(shown.get_by_test_id("qr")).to_be_visible()
    await hosts.world.sandbox.scan(person, hosts.world.sandbox.codes()[0].url)
    match = shown.get_by_test_id("match")
    await expect(match).to_have_text(re.compile(r"^[1-9][0-9]$"))
    await hosts.world.say(person, await match.inner_text())
    await expect(shown.get_by_test_id("portal-binding")).to_be_visible()


async def test_a_page_of_the_same_site_may_frame_the_portal(
    hosts: Hosts, context: BrowserContext, console: Console
) -> None:
    """Red when `enter` takes `document` alone, and when `frame-ancestors` is 'none'."""
    console.expect("Blocked autofocusing")  # the browser's own rule for frames
    made = await link(hosts.world, "42", lang="en")
    page, frame = await hosts.frame(context, made["url"], host="www.shop")
    await connect(hosts, frame)
    await frame.get_by_test_id("portal-disconnect").click()
    await frame.get_by_test_id("portal-confirm-yes").click()
    await expect(frame.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is disconnected.")
    assert await page.frames[1].evaluate("breaches") == []


@pytest.mark.parametrize("host", ["other.shop", "www.club"])
async def test_no_other_page_frames_the_portal(
    hosts: Hosts, context: BrowserContext, console: Console, host: str
) -> None:
    """Red when `frame-ancestors` is left out: an origin of no client, and another client's page."""
    console.expect(BLOCKED, FAILED)
    made = await link(hosts.world, "42", lang="en")
    page = await context.new_page()
    await arrive(page, made["url"], origin=hosts.at("www.shop"))
    for address in (page.url, made["url"]):
        other, frame = await hosts.frame(context, address, host=host)
        await until(lambda: other.frames[1].url == "chrome-error://chromewebdata/")  # noqa: B023 # awaited here
        await expect(frame.get_by_test_id("portal-title")).to_have_count(0)


async def test_in_another_sites_page_the_link_waits_to_be_opened_by_itself(
    hosts: Hosts, context: BrowserContext
) -> None:
    """Red when `enter` lets any frame open the link: it is used up there, and the browser sends no cookie."""
    made = await link(hosts.world, "42", lang="en")
    _, frame = await hosts.frame(context, made["url"], host="www.elsewhere")
    await expect(frame.get_by_test_id("portal-framed")).to_contain_text("Open this page in a new tab")
    async with context.expect_page() as opening:
        await frame.get_by_test_id("portal-by-itself").click()
    page = await opening.value
    await connect(hosts, page)
    assert await page.evaluate("opener") is None


async def test_an_open_portal_in_another_sites_page_says_why_it_shows_nothing(
    hosts: Hosts, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    made = await link(hosts.world, "42", lang="en")
    page = await context.new_page()
    await arrive(page, made["url"], origin=hosts.at("www.shop"))
    await connect(hosts, page)
    _, frame = await hosts.frame(context, page.url, host="www.elsewhere")
    await expect(frame.get_by_test_id("portal-title")).to_have_text("Open this page in a new tab")
    await expect(frame.get_by_test_id("portal-binding")).to_have_count(0)


@pytest.mark.parametrize("host", ["www.shop", "www.elsewhere"])
@pytest.mark.parametrize("form", [False, True], ids=["link", "form"])
async def test_a_link_opens_at_once_where_its_site_leads_there(
    hosts: Hosts, context: BrowserContext, *, host: str, form: bool
) -> None:
    """Red when `_began_at_its_site` returns False; for `www.elsewhere` when it believes `Sec-Fetch-Site` alone."""
    hosts.site.leads_to = (await link(hosts.world, "42", account_name="anna", lang="en"))["url"]
    address = "/lead" if form else hosts.site.leads_to
    leads = f'<form method="post" action="{address}"><button>WeChat</button></form>'
    hosts.site.put(leads if form else f'<a href="{address}">WeChat</a>', head="", policy="default-src 'none'")
    page = await context.new_page()
    await page.goto(hosts.at(host))
    await page.get_by_role("button" if form else "link", name="WeChat").click()
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("anna")


@pytest.mark.parametrize("way", ["typed", "another site", "hidden", "redirect", "window"])
async def test_a_link_that_another_person_sent_asks_first_and_its_button_goes_on(
    hosts: Hosts, context: BrowserContext, way: str
) -> None:
    """Of its own site's pages, one that hides its origin (`noreferrer`) is as good as another site's.

    Red when `_began_at_its_site` returns True; the button when `security_headers.page` forbids forms, or sends
    `no-referrer`: browsers without fetch metadata then do not say where the form comes from.
    """
    made = await link(hosts.world, "666", account_name="mallory", lang="en")
    hosts.site.leads_to = made["url"]
    page = await context.new_page()
    if way == "typed":
        await page.goto(made["url"])
    else:
        rel = "noreferrer" if way == "hidden" else ""
        body = f'<a href="{made["url"]}" rel="{rel}" target="{"_blank" if way == "window" else ""}">WeChat</a>'
        if way == "redirect":
            body = '<form method="post" action="/lead"><button>WeChat</button></form>'
        hosts.site.put(body, head="", policy="default-src 'none'")
        await page.goto(hosts.at("www.elsewhere" if way == "hidden" else "www.evil"))
        await page.get_by_text("WeChat", exact=True).click()
        if way == "window":
            page = await context.wait_for_event("page")
    ask = page.get_by_test_id("portal-ask")
    await expect(ask).to_contain_text("You are about to manage WeChat for account mallory at Shop")
    assert await context.cookies() == []
    async with page.expect_request(made["url"]) as sending:
        await page.get_by_test_id("portal-go-on").click()
    sent = await (await sending.value).all_headers()
    service = hosts.world.settings.server.public_url
    assert (sent["origin"], sent["sec-fetch-site"]) == (service, "same-origin")
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("mallory")


@pytest.mark.parametrize("host", ["www.evil", "other.shop", "www.elsewhere"])
async def test_no_form_but_the_pages_own_opens_a_link(hosts: Hosts, context: BrowserContext, host: str) -> None:
    """Red when `go_on` opens for any POST: the form sends itself, as an attacker's does."""
    made = await link(hosts.world, "666", account_name="mallory", lang="en")
    hosts.site.put(f'<form method="post" action="{made["url"]}"></form>', head="", policy="default-src 'none'")
    page = await context.new_page()
    await page.goto(hosts.at(host))
    async with page.expect_navigation():
        await page.evaluate("document.forms[0].submit()")
    await expect(page.get_by_test_id("portal-ask")).to_be_visible()
    assert await context.cookies() == []
    await page.get_by_test_id("portal-go-on").click()
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("mallory")


async def test_the_cookie_is_this_hosts_and_holds_wherever_the_visitor_came_from(
    hosts: Hosts, context: BrowserContext
) -> None:
    """Red when the name lacks `__Host-`, or the cookie is looked for by another name than it was given."""
    for user_id in ("42", "43"):
        made = await link(hosts.world, user_id, account_name=f"user {user_id}", lang="en")
        hosts.site.put(f'<a href="{made["url"]}">Settings</a>', head="", policy="default-src 'none'")
        page = await context.new_page()
        await page.goto(hosts.at("www.elsewhere"))
        await page.get_by_role("link").click()
        await expect(page.get_by_test_id("portal-account-name")).to_have_text(f"user {user_id}")
        await page.reload()
        await expect(page.get_by_test_id("portal-account-name")).to_have_text(f"user {user_id}")
    cookies = await context.cookies()
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie["name"].startswith("__Host-scanbind_portal_")
        guards = (cookie["path"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"])
        assert guards == ("/", True, True, "Strict")
        assert cookie["domain"] == "login.shop.localhost"


async def test_a_neighbour_cannot_plant_a_session_of_its_own(
    hosts: Hosts, context: BrowserContext, console: Console
) -> None:
    """Red when the name lacks `__Host-`: the victim's page then shows the attacker's account."""
    console.expect(FAILED)
    attacker = await context.browser.new_context(ignore_https_errors=True)  # type: ignore[union-attr] # it has one
    theirs = await attacker.new_page()
    made = await link(hosts.world, "666", account_name="attacker", lang="en")
    await arrive(theirs, made["url"], origin=hosts.at("www.shop"))
    await expect(theirs.get_by_test_id("portal-account-name")).to_have_text("attacker")
    [stolen] = await attacker.cookies()
    hosts.site.put("", head="")
    page = await context.new_page()
    await page.goto(hosts.at("other.shop"))
    for name in (stolen["name"], stolen["name"].removeprefix("__Host-")):
        planted = f"{name}={stolen['value']}; Path=/; Domain=shop.localhost; Secure"
        await page.evaluate("(cookie) => { document.cookie = cookie }", planted)
    await page.goto(theirs.url)
    await expect(page.locator("scanbind-portal")).to_have_attribute("data-state", "over")
    await attacker.close()


async def test_the_portals_page_runs_no_markup_and_breaks_no_rule_of_its_own(
    hosts: Hosts, context: BrowserContext, console: Console
) -> None:
    """Red when portal.js writes by `innerHTML` or a page is filled unescaped."""
    console.expect(FAILED)
    back, markup = f"{hosts.at('www.shop')}/?{MARKUP}", quote(MARKUP, safe="")
    for name in (MARKUP, "javascript:hit=1", "{{constructor.constructor('hit=1')()}}", "${hit=1}"):
        made = await link(hosts.world, "42", account_name=name, return_url=back.replace(" ", "/"), lang="en")
        page = await context.new_page()
        await arrive(page, made["url"], origin=hosts.at("www.shop"))
        await expect(page.get_by_test_id("portal-account-name")).to_contain_text(name[:10])
        await expect(page.get_by_test_id("portal-title")).to_contain_text("<script>")
        await expect(page.get_by_test_id("qr")).to_be_visible()
        session = urlsplit(page.url).path
        for path in (f"{session}?lang={markup}", f"/portal/{markup}", urlsplit(made["url"]).path):
            await harmless(page)
            await page.goto(hosts.world.settings.server.public_url + path)
        await expect(page.get_by_test_id("portal-gone")).to_contain_text("<script>")
        await harmless(page)


@pytest.mark.parametrize("name", ["lang", "texts", "state", "client-id", "account", "ticket-url"])
async def test_the_elements_run_no_markup_that_a_page_hands_them(
    hosts: Hosts, context: BrowserContext, console: Console, name: str
) -> None:
    """Red when widget.js or portal.js writes by `innerHTML`."""
    console.expect(FAILED, "Access to")
    service = hosts.world.settings.server.public_url
    texts = json.dumps(dict.fromkeys(("title", "waiting", "loading", "failed", "refresh", "connect_hint"), MARKUP))
    given = escape(texts if name == "texts" else MARKUP)
    made = await link(hosts.world, "42", account_name=MARKUP)
    rest = "" if name == "client-id" else ' client-id="shop"'
    body = (
        f'<scanbind-qr{rest} {name}="{given}"></scanbind-qr>'
        f'<scanbind-portal session="{made["token"]}" {name}="{given}"></scanbind-portal>'
    )
    head = f'<script type="module" src="{service}/portal.js"></script>'
    hosts.site.put(body, head=head, policy=f"script-src {service}; style-src 'self'; base-uri 'none'")
    page = await context.new_page()
    await page.goto(hosts.at("www.shop"))
    await expect(page.get_by_test_id("portal-account-name")).to_contain_text("<script>")
    await expect(page.locator("scanbind-qr").first).not_to_have_attribute("data-status", "loading")
    await harmless(page)


@pytest.mark.parametrize(
    ("rule", "attempt"),
    [
        ("require-trusted-types-for", "document.body.innerHTML = '<img src=x onerror=hit=1>'"),
        ("trusted-types", "trustedTypes.createPolicy('mine', {})"),
        ("script-src-elem", "const a = put('a', { href: 'javascript:hit=1' }); a.click()"),
        ("script-src-elem", "import(`${elsewhere}/hit.js`)"),
        ("style-src-elem", "put('style', { textContent: 'body { display: none }' })"),
        ("img-src", "put('img', { src: `${elsewhere}/secret` })"),
        ("connect-src", "fetch(`${elsewhere}/secret`)"),
        ("base-uri", "put('base', { href: elsewhere })"),
        ("form-action", "put('form', { action: elsewhere }).submit()"),
        ("frame-src", "put('iframe', { src: elsewhere })"),
        ("media-src", "put('audio', { src: `${elsewhere}/secret` })"),
    ],
)
async def test_what_is_injected_into_the_portals_page_comes_to_nothing(
    hosts: Hosts, context: BrowserContext, console: Console, *, rule: str, attempt: str
) -> None:
    """Red when the policy lacks the rule; the last two are those of `default-src`."""
    console.expect("")
    page = await context.new_page()
    made = await link(hosts.world, "42", lang="en")
    await arrive(page, made["url"], origin=hosts.at("www.shop"))
    await expect(page.get_by_test_id("qr")).to_be_visible()
    put = "const put = (tag, how) => { const it = Object.assign(document.createElement(tag), how); "
    put += "document.body.append(it); return it; };"
    acts = f"async (elsewhere) => {{ {put} try {{ await ({{}}, (() => {{ {attempt} }})()); }} catch {{ }} }}"
    await page.evaluate(acts, hosts.at("www.elsewhere"))
    await page.wait_for_function("(rule) => breaches.includes(rule)", arg=rule, timeout=5_000)
    assert await page.evaluate("globalThis.hit") is None


async def harmless(page: Page) -> None:
    """Check that nothing of what the page was given has run, nor had to be stopped by its policy."""
    assert await page.evaluate("[globalThis.hit ?? 0, ...breaches]") == [0]
    assert await page.locator("img[src=x], main script").count() == 0
