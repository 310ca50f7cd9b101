"""The widget with WeCom: a panel in which a member is named, and which browsers it is offered in.

Red when the panel is described as a code to scan, when an outsider is not told of the refusal, and when a phone is
not offered it by WeCom's own browser.
"""

from harness import CORP
from pages import Site
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, BrowserContext, expect
from widget import RECORD, opened
from widget_methods import ON_IPHONE, Offer, choice, framed, offered, page_of, redirect, until_told

from sandbox.authorization.inside import user_agent


async def test_a_member_logs_in_within_the_page(offer: Offer, site: Site, context: BrowserContext) -> None:
    world = await offer("wecom", "scan", app=CORP)
    person = await world.person()
    widget = await opened(context, page_of(site, world))
    await framed(widget, world, "wecom")
    await expect(widget.status).to_have_text("Use WeCom")
    await expect(redirect(widget)).to_have_text("Use WeCom")
    await faultless(widget.page, "wecom")
    frame = widget.host.frame_locator("iframe")
    await frame.get_by_test_id("person").select_option(person.id)
    await expect(frame.get_by_test_id("member")).to_be_checked()
    await frame.get_by_test_id("allow").click()
    told = await until_told(widget, "confirmed")
    redeemed = await (await world.exchange(told["code"])).json()
    userid = world.authorization.enterprises.userid(person)
    assert (redeemed["userid"], redeemed["openid"]) == (str(userid).lower(), None)


async def test_an_outsider_is_refused_and_may_become_a_member(
    offer: Offer, site: Site, context: BrowserContext
) -> None:
    world = await offer("wecom", "scan", app=CORP)
    person = await world.person()
    world.authorization.enterprises.dismiss(person)
    widget = await opened(context, page_of(site, world))
    await framed(widget, world, "wecom")
    frame = widget.host.frame_locator("iframe")
    await frame.get_by_test_id("allow").click()
    await widget.becomes("declined")
    await widget.button.click()
    await framed(widget, world, "wecom")
    await frame.get_by_test_id("member").check()
    await expect(frame.locator("#userid")).not_to_be_empty()
    await frame.get_by_test_id("allow").click()
    assert (await until_told(widget, "confirmed"))["code"]


async def test_a_phone_is_offered_it_inside_wecom_alone(offer: Offer, site: Site, browser: Browser) -> None:
    world = await offer("scan", "wecom", app=CORP)
    person = await world.person()
    for agent, expected in (
        (ON_IPHONE, []),
        (user_agent(person), []),
        (user_agent(person, wecom=True), ["wecom"]),
    ):
        context = await browser.new_context(**REAL_PHONE, user_agent=agent)
        await context.add_init_script(RECORD)
        widget = await opened(context, page_of(site, world))
        await widget.shows_a_code()
        assert await offered(widget) == expected
        if expected:
            await choice(widget, "wecom").click()  # WeCom asks nothing there
            assert (await until_told(widget, "confirmed"))["code"]
        await context.close()
