"""Nicknames and pictures: red when they are not shown, not escaped, or greet with those of another WeChat.

But for one real login, the answers of scanbind (contract.md 8.5) are given here, with a nickname as WeChat has it.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from harness import ORIGIN, WEBSITE, World, client
from shopper import Gateway, Open, Visit
from wechat_browser import browsing

from demo.shop import DONE

PROFILE = {"nickname": "小林 & <b>Lin</b> [[a|b]] $phone", "picture": "/v1/pictures/cap?size=1&x=2"}
Answers = dict[str, Any]


@pytest.fixture
def answers() -> Answers:
    """The profile in scanbind's answers, and whether the WeChat is bound."""
    return {"profile": PROFILE, "bound": False}


@pytest.fixture
async def visit(open_shop: Open, answers: Answers) -> AsyncIterator[Visit]:
    visits: list[Visit] = []

    async def exchange(_request: web.Request) -> web.Response:
        login = {"outcome": "register", "registration": "r", "expires_in": 900, "state": visits[0].session.state}
        return web.json_response({**login, "profile": answers["profile"]})

    async def bindings(request: web.Request) -> web.Response:
        answers["bound"] |= request.method == "POST"
        one = {"bound_at": "2026-01-02T03:04:05Z", "profile": answers["profile"]}
        return web.json_response({"bindings": [one] if answers["bound"] else []})

    app = web.Application()
    app.router.add_post("/v1/exchange", exchange)
    app.router.add_route("*", "/v1/bindings{user:.*}", bindings)
    async with TestServer(app) as server:
        visits.append(await open_shop(str(server.make_url("/"))))
        await visits[0].get("/login")
        yield visits[0]


def faces(text: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'data-testid="profile">.*?<b>(.*?)</b>', text)]


async def test_a_newcomer_and_a_user_see_nickname_and_picture(visit: Visit, gateway: Gateway) -> None:
    text = await visit.post("/login/wechat", code="c")
    assert faces(text) == [PROFILE["nickname"]]
    base = visit.forms.scanbind["all"].url
    assert f'<img src="{base}/v1/pictures/cap?size=1&amp;x=2" alt="" ' in text
    assert re.search(rf"img-src data: {re.escape(base)}/;", text)
    for path in ("/signup", "/phone"):
        assert faces(await visit.get(path)) == [PROFILE["nickname"]]
    await visit.post("/phone", number="13812345678")
    text = await visit.post("/phone/code", code=gateway.code)
    assert faces(text) == [PROFILE["nickname"]]  # of the WeChat that waits
    text = await visit.post("/settings/wechat/scanned")
    assert 'data-testid="binding"' in text
    assert faces(text) == [PROFILE["nickname"]]


@pytest.mark.parametrize("profile", [None, {"nickname": None, "picture": None}], ids=["none", "empty"])
async def test_without_a_profile_the_pages_are_whole(visit: Visit, answers: Answers, profile: Any) -> None:
    answers["profile"] = profile
    text = await visit.post("/login/wechat", code="c")
    assert 'data-testid="wechat-waiting"' in text
    assert "<img" not in text
    answers["bound"] = True
    text = await visit.post("/login", name="anna", password="anna")
    assert 'data-testid="binding"' in text
    assert "<img" not in text


@pytest.mark.parametrize(
    "profile",
    [{"nickname": "小林", "picture": None}, {"nickname": None, "picture": "/p"}],
    ids=["name", "picture"],
)
async def test_half_a_profile_is_shown(visit: Visit, answers: Answers, profile: Any) -> None:
    answers["profile"] = profile
    text = await visit.post("/login/wechat", code="c")
    assert faces(text) == [profile["nickname"] or ""]
    assert ("<img" in text) == bool(profile["picture"])


@pytest.fixture
async def town(make: Callable[..., Awaitable[World]], shop_port: int) -> World:
    """A world whose shop asks for profiles."""
    here = f"http://127.0.0.1:{shop_port}"
    asking = {"apps": ["site"], "methods": ["website"], "return_urls": [here + DONE], "profile": True}
    return await make(apps={"site": WEBSITE}, clients={"shop": client("shop", origins=[here, ORIGIN], **asking)})


async def test_a_login_on_wechats_page_tells_whose_wechat_it_is(
    town: World, open_shop: Open, shop_port: int, gateway: Gateway
) -> None:
    visit = await open_shop(town.url, port=shop_port)
    person = await town.person(following=False)
    given = dict(re.findall(r'(state|return-url)="([^"]+)"', await visit.get("/login")))
    page = await town.login(method="website", state=given["state"], return_url=given["return-url"])
    async with browsing(town) as browser:
        await browser.open(page.made["authorize_url"])
        back = (await browser.allow(person)).url
    text = await visit.get(back.path_qs)
    assert faces(text) == [person.nickname]
    [picture] = re.findall(r'<img src="([^"]+)"', text)
    assert picture.startswith(f"{town.url}/v1/")
    async with ClientSession() as http, http.get(unescape(picture)) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
    await visit.post("/phone", number="13812345678")
    text = await visit.post("/phone/code", code=gateway.code, join="on")
    assert 'data-testid="binding"' in text
    assert faces(text) == [person.nickname]
