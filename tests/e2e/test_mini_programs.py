"""The phone runs examples/miniprogram: its own scripts and templates, against the service.

Red when a page of the example does not load or show what the service tells, when a button sends another answer
than it says, and when what went wrong is not said in the person's language.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from harness import MINI, Page, World
from mini_program_phone import scene_of
from mini_world import mini_world
from phone import begin, faultless, hand_over
from playwright.async_api import BrowserContext, FrameLocator, expect
from playwright.async_api import Page as Tab

from sandbox.mini_program.files import EXAMPLE

Make = Callable[..., Any]


async def phone(context: BrowserContext, world: World, language: str = "en") -> Tab:
    tab = await context.new_page()
    await tab.goto(world.wechat)
    await begin(tab, "Anna", language=language)
    return tab


async def scanned(tab: Tab, world: World, page: Page) -> FrameLocator:
    """Let the camera see the picture that the page shows; return the mini program that opens."""
    response = await world.call("GET", page.made["qr_png"])
    await hand_over(tab, "paste", await response.read())
    return program(tab)


def program(tab: Tab) -> FrameLocator:
    return tab.frame_locator('[data-testid="program-page"]')


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
async def test_each_question_is_answered(make: Make, context: BrowserContext, confirm: str) -> None:
    world = await mini_world(make, confirm=confirm)
    page, tab = await world.login(), await phone(context, world)
    shown = await scanned(tab, world, page)
    await expect(shown.get_by_text("Example shop")).to_be_visible()
    number = (await page.until("scanned"))["match"]
    await faultless(tab, confirm)
    if confirm == "match":
        field = shown.get_by_label("Two digits")
        await field.fill("x")
        await field.press("Enter")
        await expect(shown.get_by_text("Type two digits and nothing else.")).to_be_visible()
        await field.fill(number)
        await field.press("Enter")
    else:
        await shown.get_by_role("button", name=number or "Yes, that is me").click()
    await expect(shown.get_by_text("finish signing up")).to_be_visible()
    assert (await page.until("confirmed"))["outcome"] == "register"
    await shown.get_by_role("button", name="Done").click()
    await expect(tab.get_by_test_id("program")).to_be_hidden()


async def test_not_me_needs_no_number(make: Make, context: BrowserContext) -> None:
    world = await mini_world(make)
    page, tab = await world.bind("42", account_name="anna"), await phone(context, world)
    shown = await scanned(tab, world, page)
    await expect(shown.get_by_text("anna", exact=True)).to_be_visible()
    await shown.get_by_role("button", name="Not me").click()
    await expect(shown.get_by_text("Declined")).to_be_visible()
    assert (await page.until("rejected"))["reason"] == "declined"


async def test_an_old_code_a_blocked_person_and_a_foreign_code_are_told_why(
    make: Make, context: BrowserContext
) -> None:
    world = await mini_world(make, confirm="tap")
    page, tab = await world.login(), await phone(context, world)
    person = world.sandbox.people.all()[-1]
    world.programs.block(person, on=True)
    shown = await scanned(tab, world, page)
    await expect(shown.get_by_text("WeChat does not let this account sign in")).to_be_visible()
    world.programs.block(person, on=False)
    await page.raw("DELETE")
    shown = await scanned(tab, world, page)
    await expect(shown.get_by_text("This code is no longer valid")).to_be_visible()
    await expect(shown.get_by_role("button")).to_have_count(0)
    await tab.get_by_test_id("program-close").click()
    link = page.made["open_url"].replace(scene_of(world, page), "x" * 32)
    await tab.get_by_test_id("code-address").fill(link)
    await tab.get_by_test_id("code-read").click()
    await expect(program(tab).get_by_text("not one of this mini program")).to_be_visible()


async def test_a_lost_answer_can_be_sent_again(make: Make, context: BrowserContext) -> None:
    """Red when the page asks for another login, whose ticket has ended, or says that nothing was changed."""
    world = await mini_world(make, confirm="tap")
    page, tab = await world.login(), await phone(context, world)
    shown = await scanned(tab, world, page)
    yes = shown.get_by_role("button", name="Yes, that is me")
    await expect(yes).to_be_visible()
    await tab.route("**/mini_program_request", lose)
    await yes.click()
    await expect(shown.get_by_text("Not available at the moment. Try again in a minute.")).to_be_visible()
    await tab.unroute("**/mini_program_request")
    await shown.get_by_role("button", name="Try again").click()
    await expect(shown.get_by_text("finish signing up")).to_be_visible()


async def lose(route: Any) -> None:
    """Let the request arrive, and answer the program with what is no response of the service."""
    await route.fetch()
    await route.fulfill(json={"status": 502, "text": "<html>"})


async def test_the_page_speaks_the_tickets_language(make: Make, context: BrowserContext) -> None:
    world = await mini_world(make)
    tab = await phone(context, world)
    shown = await scanned(tab, world, await world.login(lang="zh"))
    await expect(shown.get_by_text("示例商城")).to_be_visible()
    await expect(shown.get_by_role("button", name="不是我")).to_be_visible()
    await expect(tab.get_by_test_id("program-title")).to_have_text("扫码登录")


async def test_opened_without_a_code_it_says_what_it_is_for(make: Make, context: BrowserContext) -> None:
    world = await mini_world(make)
    tab = await phone(context, world)
    await tab.get_by_test_id("code-address").fill(f"weixin://dl/business/?appid={MINI.appid}")
    await tab.get_by_test_id("code-read").click()
    await expect(program(tab).get_by_text("scan its code with WeChat")).to_be_visible()
    await faultless(tab, "without a code")


async def test_both_languages_have_the_same_texts() -> None:
    zh, en = (EXAMPLE / "texts.js").read_text("utf-8").split("const en")
    names = [re.findall(r"([\w-]+)'?: ['{]", part) for part in (zh, en)]
    assert names[0] == names[1] != []
