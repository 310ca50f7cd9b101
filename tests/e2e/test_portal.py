"""The portal in a real browser: on the service's own page, and as a part of a site's."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from harness import ACCOUNT, SECOND, World, client
from pages import Site, arrive
from playwright.async_api import Browser, BrowserContext, Page, Route, expect
from portal_client import link
from widget import Console

from sandbox.account import OfficialAccount
from sandbox.people import Person

PORTAL = (
    '<script type="module" src="{host}/portal.js"></script><script type="module" src="{host}/widget.js"></script>'
)
TWO_DIGITS = re.compile(r"^[1-9][0-9]$")
SESSION = re.compile("/v1/portal-sessions/[^/]+$")
FAILED = "Failed to load resource"


@pytest.fixture
async def world(make: Callable[..., Any], site: Site) -> World:
    """A shop that asks for the number, and a club with two accounts that asks nothing but in the portal."""
    clients = {
        "shop": client("shop", origins=[site.origin], confirm="match"),
        "club": client("club", origins=[site.origin], accounts=["main", "second"]),
    }
    started: World = await make(clients=clients, official={"main": ACCOUNT, "second": SECOND})
    site.service = started.url
    site.put("<p>Settings</p>", path="/settings", head="")
    return started


async def enter(world: World, page: Page, user_id: str = "42", **fields: Any) -> dict[str, Any]:
    """Follow a new link from a page of the site to the portal's own page."""
    made = await link(world, user_id, **{"lang": "en", **fields})
    await arrive(page, made["url"], origin=world.settings.clients[fields.get("client", "shop")].origins[0])
    return made


async def bound(world: World, user_id: str = "42", **fields: Any) -> Person:
    """Return somebody whose WeChat the site itself has connected."""
    person = await world.person()
    page = await world.bind(user_id, **fields)
    await world.scan(person, page)
    if match := (await page.poll())["match"]:
        await world.say(person, match)
    await page.until("confirmed")
    return person


async def scan(world: World, page: Page, *, at: OfficialAccount = ACCOUNT) -> Person:
    """Scan the code on the page, and answer with the number that it shows then."""
    person = await world.person()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await world.sandbox.scan(person, world.sandbox.codes()[0].url)
    match = page.get_by_test_id("match")
    await expect(match).to_have_text(TWO_DIGITS)
    await world.say(person, await match.inner_text(), account=at.appid)
    return person


async def disconnect(page: Page) -> None:
    await page.get_by_test_id("portal-disconnect").click()
    await page.get_by_test_id("portal-confirm-yes").click()


async def focused(page: Page) -> str:
    """Return the words of what has the focus inside the portal."""
    return str(
        await page.evaluate("document.querySelector('scanbind-portal').shadowRoot.activeElement?.innerText ?? ''")
    )


async def embed(world: World, site: Site, context: BrowserContext, **fields: Any) -> Page:
    """Open a page of the site with the portal in it; what the element says is kept in `said`."""
    made = await link(world, "42", **{"lang": "en", **fields})
    return await site.open(context, f'<scanbind-portal session="{made["token"]}"></scanbind-portal>', head=PORTAL)


async def test_an_account_holder_connects_and_disconnects(world: World, context: BrowserContext) -> None:
    page = await context.new_page()
    await enter(world, page, account_name="anna@shop.example")
    await expect(page).to_have_title("WeChat at Example shop")
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("anna@shop.example")
    await expect(page.get_by_test_id("portal-about")).to_contain_text("never your nickname")
    await expect(page.get_by_test_id("portal-binding")).to_have_count(0)
    await scan(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_contain_text("WeChat connected")
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is connected.")
    this_year = re.compile(str(world.clock().year))
    await expect(page.get_by_test_id("portal-since").locator("time")).to_have_text(this_year)
    assert len(await world.bindings("42")) == 1
    await disconnect(page)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is disconnected.")
    assert await focused(page) == "No WeChat connected"
    assert await world.bindings("42") == []
    done = page.get_by_test_id("portal-history-item").locator("span")
    await expect(done).to_have_text(["WeChat disconnected", "WeChat connected"])


async def test_whoever_thinks_again_keeps_the_binding(world: World, context: BrowserContext) -> None:
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    dialog = page.get_by_test_id("portal-confirm")
    for keep in (page.get_by_test_id("portal-confirm-no").click, lambda: page.keyboard.press("Escape")):
        await page.get_by_test_id("portal-disconnect").click()
        await expect(page.get_by_role("dialog", name="Disconnect your WeChat?")).to_be_visible()
        await expect(page.get_by_test_id("portal-confirm-no")).to_be_focused()
        await keep()
        await expect(dialog).to_have_count(0)
        assert await focused(page) == "Disconnect"
    assert len(await world.bindings("42")) == 1


async def test_the_only_way_to_log_in_is_warned_about(world: World, context: BrowserContext) -> None:
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    await expect(page.get_by_test_id("portal-only-login")).to_have_count(0)
    await enter(world, page, only_login=True)
    await expect(page.get_by_test_id("portal-only-login")).to_contain_text("only way to sign in")
    await page.get_by_test_id("portal-disconnect").click()
    await expect(page.get_by_test_id("portal-confirm")).to_contain_text("only way to sign in")


async def test_somebody_who_left_the_account_is_told_so(
    make: Callable[..., Any], site: Site, context: BrowserContext
) -> None:
    clients = {"shop": client("shop", origins=[site.origin])}
    world = await make(clients=clients, accounts={"main": {"unfollow": "keep"}})
    person = await world.bound("42")
    await world.sandbox.unfollow(person)
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_text("You no longer follow Example shop’s Official Account.")).to_be_visible()


async def test_going_back_closes_the_session(
    world: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    page = await context.new_page()
    await enter(world, page, return_url=f"{site.origin}/settings")
    address = page.url
    await page.get_by_test_id("portal-return").click()
    await page.wait_for_url(f"{site.origin}/settings")
    await page.go_back()
    assert page.url == address
    await expect(page.get_by_test_id("portal-title")).to_have_text("This page has expired")
    await expect(page.get_by_text("go back to Example shop and open this page again")).to_be_visible()
    await expect(page.get_by_test_id("portal-return")).to_have_attribute("href", f"{site.origin}/settings")
    stranger = await context.new_page()
    await stranger.goto(address)
    await expect(stranger.get_by_text("go back to the site you came from")).to_be_visible()
    await expect(stranger.get_by_test_id("portal-return")).to_have_count(0)


async def test_a_session_that_ran_out_says_so(world: World, context: BrowserContext, console: Console) -> None:
    console.expect(FAILED)
    await bound(world)
    page = await context.new_page()
    await page.clock.install()
    await enter(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    await page.get_by_test_id("portal-disconnect").click()
    await page.clock.fast_forward("31:00")
    await expect(page.locator("scanbind-portal")).to_have_attribute("data-state", "over")
    await expect(page.get_by_test_id("portal-confirm")).to_have_count(0)


async def test_a_link_opens_once_and_then_shows_the_way_back(
    world: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    page = await context.new_page()
    made = await enter(world, page, return_url=f"{site.origin}/settings")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await page.goto(made["url"])
    await expect(page.get_by_test_id("portal-gone")).to_contain_text("This link no longer works")
    await page.get_by_test_id("portal-return").click()
    await page.wait_for_url(f"{site.origin}/settings")


async def test_an_embedded_portal_connects_and_disconnects_under_a_strict_policy(
    world: World, site: Site, context: BrowserContext
) -> None:
    page = await embed(world, site, context)
    await page.evaluate(
        "window.said = []; addEventListener('scanbind:change', (event) => said.push(event.detail))"
    )
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await sound(page)
    await scan(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    await sound(page)
    await disconnect(page)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    assert await page.evaluate("said") == [
        {"change": "bound", "account": "main"},
        {"change": "disconnected", "account": "main"},
    ]
    assert await page.title() == "Example shop"
    assert await context.cookies() == []


async def test_a_moved_portal_goes_on_and_a_removed_one_stops(
    world: World, site: Site, context: BrowserContext
) -> None:
    page = await embed(world, site, context)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.evaluate("document.querySelector('main').prepend(document.querySelector('scanbind-portal'))")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    assert asked == []
    async with page.expect_response(SESSION):  # it still listens
        await page.evaluate("dispatchEvent(new Event('online'))")
    asked.clear()
    await page.evaluate("window.kept = document.querySelector('scanbind-portal'); kept.remove()")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 100))")
    assert asked == []
    await page.evaluate("document.querySelector('main').append(kept)")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    assert asked[0].endswith(f"/v1/portal-sessions/{asked[0].rpartition('/')[2]}")  # not opened a second time


async def test_another_token_starts_over(world: World, site: Site, context: BrowserContext) -> None:
    page = await embed(world, site, context, account_name="anna")
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("anna")
    made = await link(world, "43", account_name="ben", lang="zh")
    await page.evaluate(
        "(token) => document.querySelector('scanbind-portal').setAttribute('session', token)", made["token"]
    )
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("ben")
    await expect(page.get_by_test_id("portal-title")).to_have_text("示例商城 · 微信绑定")


async def test_another_page_can_do_nothing_with_the_cookie(
    world: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED, "Access to fetch")
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    [cookie] = await context.cookies()
    other = await site.open(context, "", head="")
    session = f"{world.url}/v1/portal-sessions/{page.url.partition('/portal/')[2].partition('?')[0]}"
    assert cookie["path"] in session
    for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/bindings/main"), ("POST", "/tickets")):
        for mode in ("cors", "no-cors"):
            if mode == "no-cors" and method == "DELETE":
                continue  # no browser sends it
            attempt = "([url, how]) => fetch(url, how).then((response) => response.text(), () => '')"
            how = {"method": method, "mode": mode, "credentials": "include"}
            assert await other.evaluate(attempt, [session + path, how]) == ""
    assert len(await world.bindings("42")) == 1
    await page.reload()
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()


async def test_each_account_has_its_row_and_one_code_is_shown_at_a_time(
    world: World, context: BrowserContext
) -> None:
    await bound(world, client="club")
    page = await context.new_page()
    await enter(world, page, client="club")
    await expect(page.get_by_test_id("portal-binding")).to_contain_text("WeChat connected · main")
    await expect(page.get_by_test_id("qr")).to_have_count(0)
    await sound(page)
    await page.get_by_role("button", name="Connect · second").click()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await sound(page)
    assert await focused(page) == "No WeChat connected · second"
    await scan(world, page, at=SECOND)
    await expect(page.get_by_test_id("portal-binding")).to_have_count(2)


async def test_a_wechat_of_an_account_that_the_site_gave_up_can_still_be_disconnected(
    world: World, make: Callable[..., Any], site: Site, context: BrowserContext
) -> None:
    await bound(world, client="club")
    clients = {"club": client("club", origins=[site.origin], accounts=["second"])}
    later = await make(clients=clients, official={"main": ACCOUNT, "second": SECOND})
    page = await context.new_page()
    await enter(later, page, client="club")
    await expect(page.get_by_test_id("portal-binding")).to_contain_text("WeChat connected · main")
    await disconnect(page)
    await expect(page.get_by_test_id("portal-binding")).to_have_count(0)
    assert await later.bindings("42", client="club") == []


async def test_an_outage_is_told_and_passes(world: World, context: BrowserContext, console: Console) -> None:
    console.expect(FAILED)
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    await context.set_offline(True)
    await disconnect(page)
    await expect(page.get_by_role("alert")).to_contain_text("could not be disconnected")
    await context.set_offline(False)
    await page.get_by_test_id("portal-confirm-yes").click()
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_test_id("portal-problem")).to_contain_text("Trying again")
    await context.set_offline(False)
    await expect(page.get_by_test_id("portal-problem")).to_be_empty()


async def test_a_service_that_asks_for_patience_gets_it(
    world: World, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    page = await context.new_page()
    await page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if SESSION.search(request.url) else None)

    async def busy(route: Route) -> None:
        await route.fulfill(
            status=503, headers={"Retry-After": "40"}, json={"type": "/problems/store-unavailable"}
        )

    await page.route(SESSION, busy)
    await enter(world, page)
    await expect(page.get_by_test_id("portal-problem")).to_contain_text("Trying again")
    await page.clock.run_for(39_000)
    assert len(asked) == 1
    await page.evaluate("window.kept = document.querySelector('scanbind-portal'); kept.remove()")
    await page.clock.run_for(10_000)
    # An answer to this page tells that whatever it asked before has been counted.
    await page.evaluate("fetch('/livez').then((response) => response.text())")
    assert len(asked) == 1
    await page.evaluate("document.querySelector('main').append(kept)")
    await expect(page.get_by_test_id("portal-problem")).to_contain_text("Trying again")
    await page.unroute(SESSION)
    await page.clock.run_for(41_000)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await expect(page.get_by_test_id("portal-problem")).to_be_empty()


async def test_too_many_codes_are_told_by_the_code(make: Callable[..., Any], site: Site, browser: Browser) -> None:
    clients = {"shop": client("shop", origins=[site.origin])}
    world = await make(clients=clients, limits={"tickets_per_address": 1})
    page = await browser.new_page()
    await enter(world, page)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await enter(world, page, "43")
    await expect(page.locator("scanbind-qr")).to_have_attribute("data-status", "limited")
    await page.close()


async def test_looking_again_shows_what_changed_and_leaves_alone_what_did_not(
    world: World, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.clock.install()
    await enter(world, page)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await page.evaluate(
        "window.before = document.querySelector('scanbind-portal').shadowRoot.querySelector('scanbind-qr')"
    )
    for _ in range(2):
        await page.clock.fast_forward(6_000)
        async with page.expect_response(SESSION) as asked:
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await (await asked.value).finished()
        await page.evaluate("1")
        assert await page.evaluate("before.isConnected")
    await bound(world)
    await page.clock.fast_forward(6_000)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()


async def test_what_was_disconnected_elsewhere_meanwhile_counts_as_done(
    world: World, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    await page.get_by_test_id("portal-disconnect").click()
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    await page.get_by_test_id("portal-confirm-yes").click()
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is disconnected.")
    await expect(page.get_by_test_id("qr")).to_be_visible()


async def test_an_impatient_finger_disconnects_once(world: World, context: BrowserContext) -> None:
    await bound(world)
    page = await context.new_page()
    await enter(world, page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    await page.get_by_test_id("portal-disconnect").click()
    await page.get_by_test_id("portal-confirm-yes").evaluate("(yes) => { yes.click(); yes.click(); }")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    assert sent.count("DELETE") == 1


async def test_names_and_addresses_are_shown_and_not_run(world: World, context: BrowserContext) -> None:
    page = await context.new_page()

    view = {
        "site": {"zh": "示例商城", "en": "Example shop"},
        "account_name": "<b>anna</b>",
        "return_url": "javascript:alert(1)",
        "only_login": False,
        "lang": "en",
        "expires_in": 1800,
        "first_visit": True,
        "accounts": [],
        "bindings": [],
        "history": [],
    }
    await page.route(SESSION, lambda route: route.fulfill(json=view))
    await enter(world, page)
    await expect(page.get_by_test_id("portal-account-name")).to_have_text("<b>anna</b>")
    await expect(page.get_by_test_id("portal-return")).to_have_count(0)


async def test_words_can_be_other_ones(world: World, site: Site, context: BrowserContext) -> None:
    page = await embed(world, site, context)
    await expect(page.get_by_test_id("portal-title")).to_have_text("WeChat at Example shop")
    await page.evaluate("document.querySelector('scanbind-portal').texts = { title: 'Your chat, {site}' }")
    await expect(page.get_by_test_id("portal-title")).to_have_text("Your chat, Example shop")
    await page.evaluate("document.querySelector('scanbind-portal').lang = 'zh'")
    await expect(page.get_by_test_id("portal-title")).to_have_text("Your chat, 示例商城")


@pytest.mark.parametrize(("lang", "scheme"), [("zh", "light"), ("en", "dark"), ("en", "light"), ("zh", "dark")])
async def test_no_state_has_a_fault_of_accessibility(
    world: World, site: Site, browser: Browser, lang: str, scheme: Any
) -> None:
    await bound(world, "bound")
    way_back = {"lang": lang, "account_name": "anna", "return_url": f"{site.origin}/settings"}
    context = await browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
    page = await context.new_page()
    await enter(world, page, **way_back)
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await sound(page)
    made = await enter(world, page, "bound", only_login=True, **way_back)
    await expect(page.get_by_test_id("portal-only-login")).to_be_visible()
    await sound(page)
    await page.get_by_test_id("portal-disconnect").click()
    await context.set_offline(True)
    await page.get_by_test_id("portal-confirm-yes").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await sound(page)
    await page.get_by_test_id("portal-confirm-no").click()
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_test_id("portal-problem")).not_to_be_empty()
    await sound(page)
    await context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await disconnect(page)
    await expect(page.get_by_test_id("portal-notice")).not_to_be_empty()
    await sound(page)
    address = page.url
    await page.get_by_test_id("portal-return").click()
    await page.wait_for_url(f"{site.origin}/settings")
    await page.goto(address)
    await expect(page.locator("scanbind-portal")).to_have_attribute("data-state", "over")
    await sound(page)
    await page.goto(made["url"])
    await expect(page.get_by_test_id("portal-gone")).to_be_visible()
    await sound(page)
    await page.goto((await link(world, "x" * 128, account_name="n" * 256, lang=lang))["url"])
    await expect(page.get_by_test_id("portal-ask")).to_be_visible()
    await sound(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("portal-go-on")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await context.close()


async def sound(page: Page) -> None:
    """Check that axe-core finds nothing wrong with the page as it is, and that it fits so narrow a screen."""
    found = await Axe().run(page)
    faults = [(it["id"], [node["html"] for node in it["nodes"]]) for it in found.response["violations"]]
    assert faults == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def test_portal_js_brings_the_code_along(world: World, site: Site, context: BrowserContext) -> None:
    made = await link(world, "42")
    head = '<script type="module" src="{host}/portal.js"></script>'
    page = await site.open(context, f'<scanbind-portal session="{made["token"]}"></scanbind-portal>', head=head)
    await expect(page.get_by_test_id("qr")).to_be_visible()
