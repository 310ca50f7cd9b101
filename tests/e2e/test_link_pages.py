"""The pages of a link, and of redirects, in a browser the size of a phone, with and without scripts.

Red when the page's policy blocks its form, when a form needs a script, when an empty field holds up *not me*, and
when a button is too small to be hit.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from linking import linking
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, BrowserContext, Page, expect
from redirecting import BACK

from sandbox.authorization.inside import user_agent
from sandbox.people import Person

Make = Callable[..., Any]
TOUCH = 48
"""Pixels that a finger hits."""


@asynccontextmanager
async def inside(browser: Browser, person: Person, **how: Any) -> AsyncIterator[Page]:
    """Open the browser inside the WeChat of *person*."""
    context = await browser.new_context(
        **{**REAL_PHONE, "user_agent": user_agent(person), "locale": "en-US", **how}
    )
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
async def test_each_question_is_answered_without_a_script(make: Make, browser: Browser, confirm: str) -> None:
    world = await linking(make, confirm=confirm)
    page, person = await world.login(), await world.person()
    async with inside(browser, person, java_script_enabled=False) as phone:
        await phone.goto(page.made["qr_url"])
        asked = phone.url.partition("#")[0]
        number = (await page.until("scanned"))["match"]
        if confirm == "match":
            field = phone.get_by_label("Type the two digits")
            await field.fill("forty-seven")
            await field.press("Enter")
            await expect(phone.get_by_role("alert")).to_be_visible()
            await field.fill(number)
            await field.press("Enter")
        else:
            await phone.get_by_role("button", name=number or "Yes, that is me").tap()
        await expect(phone.get_by_test_id("sign-in-answered")).to_contain_text("finish signing up")
        await phone.goto(asked)
        await expect(phone.get_by_test_id("sign-in-answered")).to_contain_text("finish signing up")
    assert (await page.poll())["status"] == "confirmed"


async def test_not_me_needs_no_number(make: Make, browser: Browser) -> None:
    world = await linking(make, confirm="match")
    page = await world.login()
    async with inside(browser, await world.person(), java_script_enabled=False) as phone:
        await phone.goto(page.made["qr_url"])
        await phone.get_by_role("button", name="Not me").tap()
        await expect(phone.get_by_test_id("sign-in-answered")).to_contain_text("Declined")
    assert (await page.poll())["reason"] == "declined"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
async def test_pages_can_be_read_and_hit(make: Make, browser: Browser, confirm: str, colours: str) -> None:
    world = await linking(make, confirm=confirm)
    page = await world.login()
    async with inside(browser, await world.person(), color_scheme=colours) as phone:
        await phone.goto(page.made["qr_url"])
        await faultless(phone, confirm)
        for button in await phone.locator("button, input:visible").all():
            box = await button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= TOUCH
        await phone.get_by_role("button", name="Not me").tap()
        await expect(phone.get_by_test_id("sign-in-answered")).to_be_visible()
        await faultless(phone, "declined")
        assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("notice", ["unusable", "more", "outside"])
async def test_notices_can_be_read(make: Make, hand: BrowserContext, notice: str) -> None:
    world = await linking(make, methods=["link", "h5"], return_urls=[BACK])
    link, h5 = await world.login(), await world.login(method="h5", return_url=BACK, state="s")
    addresses = {
        "unusable": f"{world.url}/authorize/made-up",
        "more": f"{h5.made['authorize_url']}/more",
        "outside": link.made["qr_url"],
    }
    phone = await hand.new_page()
    await phone.goto(addresses[notice])
    await expect(phone.get_by_test_id(f"sign-in-{notice}")).to_be_visible()
    for colours in ("light", "dark"):
        await phone.emulate_media(color_scheme=colours)
        await faultless(phone, f"{notice}, {colours}")
    assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
