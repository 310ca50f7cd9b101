"""The doctor verifies each target as WeChat's console would.

Red when a target with another token, or one that does not answer, passes.
"""

import asyncio
from typing import Any

from aiohttp import web
from config_files import ACCOUNT, CLIENT
from serving import listening
from targets import KEY, TOKEN, target

from service.config.settings import validate
from service.doctor.forwarding import check_forwarding


async def said(*targets: dict[str, Any]) -> list[str]:
    values = {"accounts": {"main": ACCOUNT | {"forward": list(targets)}}, "clients": {"shop": CLIENT}}
    return [str(finding) async for finding in check_forwarding(validate(values))]


async def test_each_target_has_a_finding() -> None:
    async with target() as bot:
        good = bot.settings()
        wrong = bot.settings(url=f"{bot.url}&second=1", token="anothertoken")
        gone = bot.settings(url="http://127.0.0.1:9/")
        found = await said(good, wrong, gone)
    assert [line.split()[:2] for line in found] == [
        ["good", "accounts.main.forward.0:"],
        ["failed", "accounts.main.forward.1:"],
        ["failed", "accounts.main.forward.2:"],
    ]
    assert "HTTP 500" in found[1]
    assert "cannot be called" in found[2]
    assert bot.received == []


async def test_a_page_that_says_something_else_is_no_target() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="welcome")

    async def mute(_request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    app = web.Application()
    app.router.add_get("/page", page)
    app.router.add_get("/mute", mute)
    async with listening(app) as url:
        common = {"token": TOKEN, "aes_key": KEY, "timeout": 1}
        other, silent = await said({"url": f"{url}/page", **common}, {"url": f"{url}/mute", **common})
    assert "something else than its echostr" in other
    assert "does not answer within 1 seconds" in silent


async def test_an_account_without_targets_has_none() -> None:
    assert await said() == []
