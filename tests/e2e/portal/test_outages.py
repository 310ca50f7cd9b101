"""The portal during outages, rate limits and changes made elsewhere."""

from collections.abc import Callable
from typing import Any

from harness import World, client
from pages import Site
from playwright.async_api import Browser, BrowserContext, Route, expect
from portal_page import FAILED, SESSION, bound, disconnect, enter
from widget import Console


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
    # Once this is answered, all earlier requests of the page have been counted.
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
