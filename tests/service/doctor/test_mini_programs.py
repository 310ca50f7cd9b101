"""Credentials and pages of mini programs, and what an operator must check by hand.

Red when a mini program that no client uses is checked, when a wrong secret is called good, or when a page that is
not released gets no warning.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from harness import MINI, application, client
from serving import listening

from sandbox.app import MINI_PROGRAMS, make_app
from service.config.settings import validate
from service.doctor.finding import Finding
from service.doctor.mini_programs import check_mini_programs


@pytest.fixture
async def wechat() -> AsyncIterator[tuple[str, web.Application]]:
    app = make_app((), (), [MINI], public_url="http://weixin.qq.com")
    async with listening(app) as base:
        yield base, app


async def found(base: str, *, url: str = "https://login.example", **changes: Any) -> list[Finding]:
    shop = client("shop", accounts=[], apps=["mini"], methods=["miniprogram"])
    tree = {
        "server": {"public_url": url},
        "apps": {"mini": application(MINI, wechat=base, **changes), "unused": {**UNUSED, "api_base": base}},
        "clients": {"shop": shop},
    }
    return [finding async for finding in check_mini_programs(validate(tree))]


UNUSED = {"kind": "miniprogram", "appid": "wx00000000000000cc", "secret": "s" * 32, "page": "pages/unused"}


async def test_secret_and_page_are_checked_and_the_console_is_named(wechat: tuple[str, web.Application]) -> None:
    credentials, page, console = await found(wechat[0])
    assert credentials == Finding(True, "apps.mini", "WeChat accepts its secret for logins")
    assert page == Finding(True, "apps.mini", "WeChat draws codes of pages/scan/index")
    assert (console.ok, console.untested) == (True, True)
    assert "https://login.example is a request 合法域名" in console.message


async def test_a_wrong_secret_is_named_with_its_remedy(wechat: tuple[str, web.Application]) -> None:
    credentials, page, _ = await found(wechat[0], secret="0" * 32)
    assert (credentials.ok, page.ok) == (False, False)
    assert "errcode 40125" in credentials.message
    assert "apps.mini.secret" in credentials.remedy


async def test_a_page_that_is_not_released_is_a_warning(wechat: tuple[str, web.Application]) -> None:
    base, app = wechat
    app[MINI_PROGRAMS].codes(MINI.appid).release_known = False
    _, page, _ = await found(base)
    assert page.ok is None
    assert "pages/scan/index is no page of its released version" in page.message
    assert "apps.mini.page" in page.remedy


async def test_an_address_without_a_domain_is_a_warning(wechat: tuple[str, web.Application]) -> None:
    *_, console = await found(wechat[0], url="http://127.0.0.1:8080")
    assert (console.ok, console.subject) == (None, "server.public_url")


async def test_without_wechat_both_calls_are_named(unused_tcp_port: int) -> None:
    credentials, page, _ = await found(f"http://127.0.0.1:{unused_tcp_port}")
    for finding in (credentials, page):
        assert finding.ok is False
        assert "WeChat does not answer" in finding.message


async def test_another_service_in_place_of_wechat_is_named() -> None:
    async def yes(_: web.Request) -> web.Response:
        return web.json_response({"openid": "o", "access_token": "t"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", yes)
    async with listening(app) as base:
        credentials, page, _ = await found(base)
    assert "not from WeChat" in credentials.message
    assert page.ok is False
