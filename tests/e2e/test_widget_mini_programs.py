"""The widget with a mini program's code: a picture that WeChat drew, and on a phone the way into WeChat.

Red when it draws a code of its own, and when a phone is not led to the mini program or a computer is.
"""

from harness import MINI, World
from pages import Site
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, BrowserContext, expect
from widget import RECORD, Widget, opened
from widget_methods import ON_IPHONE, Offer, offered, page_of, redirect

from sandbox.authorization.inside import user_agent


async def picture_of(widget: Widget) -> str:
    return str(await widget.qr.get_attribute("src"))


async def test_a_computer_shows_the_picture_alone(offer: Offer, site: Site, context: BrowserContext) -> None:
    world = await offer("miniprogram", "scan", app=MINI)
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    assert "/v1/code-pictures/" in await picture_of(widget)
    await expect(redirect(widget)).to_be_hidden()
    assert await offered(widget) == ["scan"]


async def test_a_phone_is_led_to_the_mini_program(offer: Offer, site: Site, browser: Browser) -> None:
    world: World = await offer("miniprogram", "scan", app=MINI)
    context = await browser.new_context(**REAL_PHONE, user_agent=ON_IPHONE)
    await context.add_init_script(RECORD)
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    await expect(redirect(widget)).to_have_text("Open WeChat")
    leads_to = str(await redirect(widget).get_attribute("href"))
    assert leads_to.startswith(f"weixin://dl/business/?appid={MINI.appid}&path=pages/scan/index&query=scene%3D")
    await expect(widget.save).to_be_visible()
    await faultless(widget.page, "mini program")
    await context.close()


async def test_inside_wechat_the_picture_is_pressed(offer: Offer, site: Site, browser: Browser) -> None:
    world = await offer("miniprogram", app=MINI)
    agent = user_agent(await world.person())
    context = await browser.new_context(**REAL_PHONE, user_agent=agent)
    await context.add_init_script(RECORD)
    widget = await opened(context, page_of(site, world))
    await widget.shows_a_code()
    await expect(redirect(widget)).to_be_hidden()
    await expect(widget.status).to_have_text("Press and hold the QR code")
    await context.close()
