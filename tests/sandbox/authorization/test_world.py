"""A world with a website and an account that may be authorized, and a browser that goes to WeChat and back.

Red when `world` configures no `apps`, or an account without its `oauth`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from harness import ACCOUNT, WEBSITE, World, client
from wechat_browser import browsing


@pytest.fixture
async def town(make: Callable[..., Any]) -> World:
    shop = client("shop", apps=["site"])
    official = {"main": replace(ACCOUNT, oauth="userinfo")}
    started: World = await make(clients={"shop": shop}, official=official, apps={"site": WEBSITE})
    return started


def address(world: World, path: str, appid: str, scope: str) -> str:
    back = f"{world.url}/oauth/site"
    query = {"appid": appid, "redirect_uri": back, "response_type": "code", "scope": scope, "state": "s1"}
    return f"{world.wechat}/connect/{path}?{urlencode(query)}#wechat_redirect"


async def test_the_service_is_configured_with_the_app_and_the_accounts_authorization(town: World) -> None:
    account, app = town.settings.accounts["main"], town.settings.apps["site"]
    assert (account.oauth, account.open_base) == ("userinfo", town.wechat)
    assert app.model_dump(include={"appid", "api_base", "open_base", "open_platform"}) == {
        "appid": WEBSITE.appid,
        "api_base": town.wechat,
        "open_base": town.wechat,
        "open_platform": "acme",
    }


async def test_a_browser_stops_where_wechat_asks_and_comes_back_with_a_code(town: World) -> None:
    anna = await town.person()
    async with browsing(town) as browser:
        asked = await browser.open(address(town, "qrconnect", WEBSITE.appid, "snsapi_login"))
        assert asked.consent
        back = await browser.allow(anna)
    assert (back.url.path, back.answer.keys()) == ("/oauth/site", {"code", "state"})
    query = {"appid": WEBSITE.appid, "secret": WEBSITE.secret, "grant_type": "authorization_code"}
    code = {"code": back.answer["code"]}
    async with town.http.get(f"{town.wechat}/sns/oauth2/access_token", params=query | code) as response:
        assert (await response.json(content_type=None))["openid"] == anna.openid(WEBSITE.appid)


async def test_a_browser_stays_on_the_page_of_a_refused_login(town: World) -> None:
    async with browsing(town) as browser:
        asked = await browser.open(address(town, "qrconnect", WEBSITE.appid, "snsapi_login"))
        assert await browser.refuse(await town.person()) is asked


@pytest.mark.parametrize(("scope", "asks"), [("snsapi_base", False), ("snsapi_userinfo", True)])
async def test_a_browser_inside_wechat_is_its_persons(town: World, scope: str, asks: bool) -> None:
    anna = await town.person()
    page = address(town, "oauth2/authorize", ACCOUNT.appid, scope)
    async with browsing(town, anna) as inside, browsing(town) as outside:
        visit = await inside.open(page)
        assert (visit.consent is not None) == asks
        back = await inside.allow(anna) if asks else visit
        assert back.answer.keys() == {"code", "state"}
        assert "请在微信客户端打开链接" in (await outside.open(page)).text
        assert len(inside.at.way if inside.at else ()) == (1 if asks else 2)


async def test_a_site_elsewhere_is_not_visited(town: World) -> None:
    async with browsing(town) as browser:
        visit = await browser.open("https://shop.example/done?code=1&state=2")
    assert (visit.status, visit.answer) == (None, {"code": "1", "state": "2"})
