"""Attacks on sign-ins with WeCom: refused outsiders, and callbacks at once while a token is refused.

What redirects have in common is in test_redirects.py.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness import CORP
from redirecting import BACK, WECOM, redirecting
from wechat_browser import browsing

Make = Callable[..., Any]


async def test_a_refused_outsider_ends_no_bind_that_a_member_came_back_to(make: Make) -> None:
    """Red when `_refused` does not look whose the ticket is."""
    world, member = await redirecting(make, WECOM)
    outsider = await world.person()
    world.authorization.enterprises.dismiss(outsider)
    page = await world.bind("42", method="wecom", return_url=BACK, state="s")
    async with browsing(world) as window, browsing(world) as frame:
        await window.open(page.made["authorize_url"])
        await frame.open(page.made["panel"]["src"])
        assert "&quot;code&quot;" in (await frame.allow(member)).text
        visit = await window.allow(outsider)
        assert (visit.status, "sign-in-unusable" in visit.text) == (400, True)
        assert (await window.reload()).status == 400
    assert (await page.poll())["status"] == "scanned"


async def test_callbacks_at_once_with_a_revoked_token_send_the_code_once_more_in_all(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when each request exchanges the code, or one sends it again after another answer than a bad token."""
    world, member = await redirecting(make, WECOM)
    enterprises, sent = world.authorization.enterprises, list[str]()
    answer = enterprises.userinfo
    monkeypatch.setattr(
        enterprises, "userinfo", lambda asked, **how: sent.append(asked["code"]) or answer(asked, **how)
    )
    for expected in (1, 2):
        sent.clear()
        page = await world.login(method="wecom", return_url=BACK, state="s")
        async with browsing(world) as browser:
            visit = await browser.open(page.made["authorize_url"])
            back = str(world.authorization.allow(member, visit.consent or "").address)
            visits = await asyncio.gather(*(browser.open(back) for _ in range(5)))
        assert len({str(visit.url) for visit in visits}) == 1
        assert (await world.exchange(visits[0].answer["code"])).status == 200
        assert (len(sent), len(set(sent))) == (expected, 1)
        enterprises.tokens.revoke(CORP)
