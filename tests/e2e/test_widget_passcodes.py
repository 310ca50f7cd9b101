"""The widget with a passcode: what it shows, beside the account's picture or without one.

Red when it hides the passcode or the account's name, breaks the layout of a phone, or goes on showing the passcode
once it was sent.
"""

import io
from pathlib import Path
from typing import Any

import pytest
import segno
from pages import Site
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, BrowserContext, expect
from widget import RECORD, Widget, opened
from widget_methods import LOGIN, ON_IPHONE, Offer, choice, page_of

NAMES = {"zh": "示例商城服务号", "en": "Example shop service"}


@pytest.fixture
def about(tmp_path: Path) -> dict[str, Any]:
    """Settings of an account with a name for people and a picture."""
    drawn = io.BytesIO()
    segno.make("http://weixin.qq.com/r/own").save(drawn, kind="png", scale=8)
    (tmp_path / "own.png").write_bytes(drawn.getvalue())
    return {"main": {"name": NAMES, "picture": str(tmp_path / "own.png")}}


def passcode(widget: Widget) -> Any:
    return widget.host.get_by_test_id("passcode")


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_visitor_sends_the_passcode_and_answers(
    offer: Offer, site: Site, context: BrowserContext, about: dict[str, Any], lang: str
) -> None:
    world = await offer("passcode", "scan", confirm="match", of_accounts=about)
    widget = await opened(context, page_of(site, world, lang=lang))
    await widget.shows_a_code()
    await expect(widget.host.locator("[part=hint]")).to_contain_text(NAMES[lang])
    shown = await passcode(widget).inner_text()
    person = await world.person()
    await world.say(person, shown)
    number = await widget.number()
    await expect(passcode(widget)).to_be_hidden()
    await expect(widget.qr).to_be_hidden()
    await world.say(person, number)
    await widget.becomes("confirmed")
    assert (await widget.told("confirmed"))[0]["code"]


async def test_without_a_picture_the_name_is_said(offer: Offer, site: Site, context: BrowserContext) -> None:
    world = await offer("passcode")
    widget = await opened(context, page_of(site, world, lang="en"))
    await widget.becomes("waiting")
    await expect(passcode(widget)).to_be_visible()
    await expect(widget.qr).to_be_hidden()
    await expect(widget.host.locator("[part=hint]")).to_have_text("To the account main.")


async def test_the_passcode_gives_way_to_a_code_and_comes_again(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("scan", "passcode")
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    await expect(passcode(widget)).to_be_hidden()
    await choice(widget, "passcode").click()
    await expect(passcode(widget)).to_be_visible()
    await choice(widget, "scan").click()
    await widget.shows_a_code()
    await expect(passcode(widget)).to_be_hidden()


async def test_on_a_phone_the_picture_of_the_account_is_saved_and_the_page_stays(
    offer: Offer, site: Site, browser: Browser, about: dict[str, Any]
) -> None:
    """Red when the picture is served without `Content-Disposition`: it would take the place of the page.

    Also when a `$` in the account's name is read as a pattern.
    """
    about["main"]["name"] = "The $& shop"
    world = await offer("passcode", of_accounts=about)
    context = await browser.new_context(user_agent=ON_IPHONE)
    await context.add_init_script(RECORD)
    widget = await opened(context, page_of(site, world, lang="en"))
    await widget.shows_a_code()
    await expect(widget.host.locator("[part=hint]")).to_contain_text("The $& shop")
    async with widget.page.expect_download(timeout=5000) as download:
        await widget.save.click()
    assert (await download.value).suggested_filename == "wechat.png"
    await expect(passcode(widget)).to_be_visible()
    await context.close()


@pytest.mark.parametrize("look", ["light zh", "dark en"])
async def test_axe_finds_nothing_wrong_on_a_phone(
    offer: Offer, site: Site, browser: Browser, about: dict[str, Any], look: str
) -> None:
    scheme, lang = look.split()
    world = await offer("passcode", "scan", of_accounts=about)
    element = LOGIN.replace("state", f'theme="{scheme}" state')
    context = await browser.new_context(**REAL_PHONE)
    await context.add_init_script(RECORD)
    widget = await opened(context, page_of(site, world, element, lang=lang))
    await widget.shows_a_code()
    await faultless(widget.page, "passcode")
    await context.close()
