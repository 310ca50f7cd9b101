"""The portal shows the name and picture of a connected WeChat, and the mark where there is no picture.

Red when the page's policy keeps the picture out, when a name turns the text around it, or when a picture that is
gone leaves a broken image.
"""

import pytest
from harness import ORIGIN
from pages import POLICY, Site
from phone import faultless
from playwright.async_api import BrowserContext, Page, expect
from portal_client import link
from portal_page import FAILED, PORTAL, enter, sound
from profile_sign_in import Town, be_patient
from redirecting import BACK, WEBSITE_LOGIN
from widget import Console
from widget_methods import Offer

LONG = "أحمد " + "Llanfairpwllgwyngyllgogerychwyrndrobwll" * 2


async def connected(offer: Offer, site: Site, nickname: str = "安娜 Anna 🐼") -> Town:
    """Connect the WeChat of a person with this nickname to the user 42."""
    world = await offer("website", "scan", profile=True, return_urls=[BACK], origins=[site.origin, ORIGIN])
    person = world.sandbox.change_profile(await world.person(), nickname=nickname)
    be_patient(world)
    town = Town(world, WEBSITE_LOGIN, person)
    await town.bound("42")
    return town


async def shows_the_picture(page: Page) -> None:
    picture = page.get_by_test_id("portal-picture")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("complete", value=True)
    assert await picture.evaluate("(image) => image.naturalWidth") > 0


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("nickname", ["安娜 Anna 🐼", LONG], ids=["usual", "long and from right to left"])
async def test_a_connected_wechat_is_recognised(
    offer: Offer, site: Site, context: BrowserContext, lang: str, nickname: str
) -> None:
    town = await connected(offer, site, nickname)
    page = await context.new_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    await enter(town.world, page, lang=lang)
    await shows_the_picture(page)
    await expect(page.get_by_test_id("portal-nickname")).to_have_text(nickname[:64].rstrip())
    await expect(page.get_by_test_id("portal-label")).to_be_visible()
    kept = "nickname and photo if you allowed it" if lang == "en" else "经你同意获取的昵称和头像"
    await expect(page.get_by_test_id("portal-about")).to_contain_text(kept)
    await faultless(page, f"profile {lang}")


async def test_an_embedded_portal_shows_it_under_a_strict_policy(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    town = await connected(offer, site)
    made = await link(town.world, "42", lang="en")
    element = f'<scanbind-portal session="{made["token"]}"></scanbind-portal>'
    page = await site.open(context, element, head=PORTAL)
    await shows_the_picture(page)
    await sound(page)


async def test_a_policy_without_pictures_leaves_the_mark(
    offer: Offer, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Loading the image")
    town = await connected(offer, site)
    made = await link(town.world, "42", lang="en")
    element = f'<scanbind-portal session="{made["token"]}"></scanbind-portal>'
    policy = POLICY.replace("img-src", "media-src")
    assert policy != POLICY
    page = await site.open(context, element, head=PORTAL, policy=policy)
    await expect(page.get_by_test_id("portal-nickname")).to_be_visible()
    await expect(page.locator(".mark.connected")).to_be_visible()
    await expect(page.get_by_test_id("portal-picture")).to_have_count(0)


async def test_a_picture_that_is_gone_leaves_the_mark(
    offer: Offer, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(FAILED)
    town = await connected(offer, site)
    page = await context.new_page()
    await page.route("**/v1/profile-pictures/*", lambda route: route.fulfill(status=404))
    await enter(town.world, page)
    await expect(page.locator(".mark.connected")).to_be_visible()
    await expect(page.get_by_test_id("portal-picture")).to_have_count(0)
