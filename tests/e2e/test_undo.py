"""The page that a notice leads to, in a browser the size of a phone: it undoes a bind without a script.

Red when the page's policy blocks its form, when its button is too small to be hit, and when a text is cut off.
"""

from collections.abc import Callable
from typing import Any

import pytest
from noticing import noticed, noticing
from phone import REAL_PHONE, faultless
from playwright.async_api import Browser, expect

from sandbox.authorization.inside import user_agent

Make = Callable[..., Any]
TOUCH = 48
"""Pixels that a finger hits."""


@pytest.mark.parametrize("inside", [True, False], ids=["inside WeChat", "in another browser"])
@pytest.mark.parametrize(
    ("locale", "press", "gone"),
    [("zh-CN", "不是我，解绑微信", "微信已解绑"), ("en-US", "It was not me", "Your WeChat is disconnected")],
    ids=["zh", "en"],
)
async def test_a_bind_is_undone_on_a_phone(
    make: Make, browser: Browser, locale: str, press: str, gone: str, *, inside: bool
) -> None:
    world = await noticing(make)
    person, path = await noticed(world)
    agent = {"user_agent": user_agent(person)} if inside else {}
    context = await browser.new_context(**{**REAL_PHONE, "locale": locale, "java_script_enabled": False, **agent})
    phone = await context.new_page()
    await phone.goto(world.url + path)
    button = phone.get_by_role("button", name=press)
    box = await button.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= TOUCH
    assert len(await world.bindings("42")) == 1
    await button.tap()
    await expect(phone.get_by_test_id("sign-in-undo-gone")).to_contain_text(gone)
    await phone.reload()
    await expect(phone.get_by_test_id("sign-in-undo-gone")).to_contain_text(gone)
    assert await world.bindings("42") == []
    await context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_each_page_can_be_read(make: Make, browser: Browser, locale: str, colours: str) -> None:
    world = await noticing(make)
    _, path = await noticed(world)
    context = await browser.new_context(**{**REAL_PHONE, "locale": locale, "color_scheme": colours})
    phone = await context.new_page()
    for state, seconds in (("open", 0), ("late", 601)):
        world.clock.advance(seconds)
        await phone.goto(world.url + path)
        await expect(phone.get_by_test_id(f"sign-in-undo-{state}")).to_be_visible()
        await faultless(phone, state)
        assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await phone.goto(f"{world.url}/undo/made-up")
    await faultless(phone, "unusable")
    await context.close()
