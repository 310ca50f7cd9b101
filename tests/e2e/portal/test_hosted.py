"""The portal in a browser, on the service's own page."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, Page, World, client
from pages import Site
from playwright.async_api import BrowserContext, expect
from portal_page import FAILED, SESSION, bound, disconnect, enter, focused, scan, sound
from widget import Console


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


async def test_cancelling_the_confirmation_keeps_the_binding(world: World, context: BrowserContext) -> None:
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


async def test_the_browser_knows_every_feature_that_is_switched_off(world: World, context: BrowserContext) -> None:
    page, messages = await context.new_page(), list[str]()
    page.on("console", lambda message: messages.append(message.text))
    await enter(world, page)
    await expect(page.get_by_test_id("portal-about")).to_be_visible()
    assert [text for text in messages if "Permissions-Policy" in text] == []


async def test_two_wechats_can_be_told_apart(world: World, context: BrowserContext) -> None:
    page = await context.new_page()
    shown = set()
    for _ in range(2):
        await bound(world)
        await enter(world, page)
        shown.add(await page.get_by_test_id("portal-label").inner_text())
        await disconnect(page)
    assert len(shown) == 2
    assert all(re.fullmatch("Identifier ending in [0-9A-F]{4}", one) for one in shown)


@pytest.mark.parametrize("unfollow", ["erase", "keep"])
async def test_what_unfollowing_costs_is_said_where_it_is_true(
    make: Callable[..., Any], site: Site, context: BrowserContext, unfollow: str
) -> None:
    clients = {"shop": client("shop", origins=[site.origin])}
    world = await make(clients=clients, accounts={"main": {"unfollow": unfollow}})
    await world.bound("42")
    page = await context.new_page()
    await enter(world, page, only_login=True)
    warning = page.get_by_test_id("portal-only-login")
    await expect(warning).to_contain_text("only way to sign in")
    said = "Unfollowing the Official Account disconnects it as well." in await warning.inner_text()
    assert said is (unfollow == "erase")


async def test_a_person_who_unsubscribed_sees_a_notice(
    make: Callable[..., Any], site: Site, context: BrowserContext
) -> None:
    clients = {"shop": client("shop", origins=[site.origin])}
    world = await make(clients=clients, accounts={"main": {"unfollow": "keep"}})
    person = await world.bound("42")
    await world.sandbox.unfollow(person)
    page = await context.new_page()
    await enter(world, page)
    await expect(page.get_by_text("You do not follow Example shop’s Official Account.")).to_be_visible()


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


async def test_the_identities_of_one_person_are_disconnected_one_by_one(
    world: World, context: BrowserContext
) -> None:
    person = await world.person(unionid="u-1")
    await world.scan(person, await world.bind("42", client="club"))

    async def outcome() -> str:
        """Log in by the other account."""
        made = await world.site("POST", "/v1/tickets", {"purpose": "login", "account": "second"}, client="club")
        login = Page(world, await made.json(), made.status)
        await world.scan(person, login)
        return str((await login.until("confirmed"))["outcome"])

    assert await outcome() == "login"
    page = await context.new_page()
    await enter(world, page, client="club")
    rows = page.get_by_test_id("portal-binding")
    await expect(rows).to_have_count(2)
    await sound(page)
    await disconnect(page, "second")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("WeChat connected · main")
    assert await outcome() == "register"
    await page.reload()
    await expect(rows).to_have_count(1)


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
