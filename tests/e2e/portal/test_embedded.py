"""The portal as an element in a page of the site."""

from harness import World
from pages import Site
from playwright.async_api import BrowserContext, expect
from portal_client import link
from portal_page import SESSION, disconnect, embed, scan, sound


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
    await expect(page.get_by_test_id("portal-title")).to_have_text("示例商城 · 微信绑定管理")


async def test_words_can_be_other_ones(world: World, site: Site, context: BrowserContext) -> None:
    page = await embed(world, site, context)
    await expect(page.get_by_test_id("portal-title")).to_have_text("WeChat at Example shop")
    await page.evaluate("document.querySelector('scanbind-portal').texts = { title: 'Your chat, {site}' }")
    await expect(page.get_by_test_id("portal-title")).to_have_text("Your chat, Example shop")
    await page.evaluate("document.querySelector('scanbind-portal').lang = 'zh'")
    await expect(page.get_by_test_id("portal-title")).to_have_text("Your chat, 示例商城")


async def test_portal_js_brings_the_code_along(world: World, site: Site, context: BrowserContext) -> None:
    made = await link(world, "42")
    head = '<script type="module" src="{host}/portal.js"></script>'
    page = await site.open(context, f'<scanbind-portal session="{made["token"]}"></scanbind-portal>', head=head)
    await expect(page.get_by_test_id("qr")).to_be_visible()
