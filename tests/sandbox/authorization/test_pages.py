"""WeChat's pages: what they refuse, and where people's answers send the browser (wechat-protocol.md 5, 6).

Red when `requests.py` no longer checks the domain, the scope or the order of parameters, or when a refused login
at a website redirects.
"""

from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from authorizing import BACK, SITE, WeChat, answered

from sandbox.account import AccountKind, WebAuthorizationScope
from sandbox.authorization.inside import user_agent

INSIDE = "oauth2/authorize"
SCOPES = ("snsapi_base", "snsapi_userinfo")


async def state(wechat: WeChat, consent: str) -> tuple[int, str | None]:
    async with wechat.client.get("/connect/l/qrconnect", params={"uuid": consent}) as response:
        body = await response.json()
        return body["wx_errcode"], body["address"]


async def test_a_website_shows_a_code_and_follows_the_answer(wechat: WeChat) -> None:
    anna = await wechat.anna()
    page = await (await wechat.get("qrconnect", style="black", href="data:text/css;base64,")).text()
    assert "Shop &lt;1&gt;" in page
    assert 'data-target="top"' in page
    consent = wechat.authorization.open_consents(SITE.appid)[0].id
    picture = await wechat.client.get(f"/connect/qrcode/{consent}")
    assert picture.content_type == "image/png"
    assert await state(wechat, consent) == (408, None)
    scanned = wechat.authorization.scan(anna, f"http://phone.test/connect/confirm?uuid={consent}")
    assert await state(wechat, consent) == (404, None)
    wechat.authorization.allow(anna, scanned)
    number, address = await state(wechat, consent)
    assert number == 405
    assert str(address).startswith("https://login.test:8443/oauth/site?a=1&code=")
    assert answered(str(address))["state"] == "s1"
    assert wechat.authorization.open_consents() == []


async def test_a_refused_login_at_a_website_redirects_nowhere(wechat: WeChat) -> None:
    consent = await wechat.login()
    wechat.authorization.refuse(await wechat.anna(), consent)
    assert await state(wechat, consent) == (403, None)


async def test_a_login_at_a_website_expires(wechat: WeChat) -> None:
    consent = await wechat.login()
    wechat.clock.now += 300
    assert await state(wechat, consent) == (402, None)
    assert (await wechat.client.get("/connect/l/qrconnect", params={"uuid": "none"})).status == 404
    assert (await wechat.client.get("/connect/qrcode/none")).status == 404


@pytest.mark.parametrize(("given", "target"), [("true", "self"), ("false", "top"), ("default", "top")])
async def test_the_page_in_a_frame_goes_back_in_the_frame_or_in_the_whole_window(
    wechat: WeChat, given: str, target: str
) -> None:
    page = await (await wechat.get("qrconnect", self_redirect=given, lang="en")).text()
    assert f'data-target="{target}"' in page
    assert "Scan with WeChat" in page


async def test_the_order_of_a_websites_parameters_is_free(wechat: WeChat) -> None:
    query = f"state=1&scope=snsapi_login&response_type=code&redirect_uri={quote(BACK)}&appid={SITE.appid}"
    assert 'data-testid="login"' in await (await wechat.client.get(f"/connect/qrconnect?{query}")).text()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"appid": "wxnone"}, "AppID 参数错误"),
        ({"appid": "wx0123456789abcdef"}, "AppID 参数错误"),
        ({"redirect_uri": "https://www.login.test/"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "https://login.test.evil.example/"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "https://login.test@evil.example/"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "javascript://login.test/%0aalert(1)"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "https://evil.example\\@login.test/"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "https://login.test/\r\nSet-Cookie:a=b"}, "redirect_uri 参数错误"),
        ({"redirect_uri": "https://[/"}, "redirect_uri 参数错误"),
        ({"redirect_uri": None}, "redirect_uri 参数错误"),
        ({"scope": "snsapi_userinfo"}, "Scope 参数错误"),
        ({"response_type": "token"}, "response_type 参数错误"),
    ],
)
async def test_a_wrong_login_at_a_website_shows_why(
    wechat: WeChat, changes: dict[str, str | None], reason: str
) -> None:
    response = await wechat.get("qrconnect", **changes)
    page = await response.text()
    assert (response.status, "该链接无法访问" in page, reason in page) == (200, True, True)
    assert wechat.authorization.open_consents() == []


async def test_base_returns_at_once(wechat: WeChat) -> None:
    response = await wechat.get(INSIDE, await wechat.anna())
    assert response.status == 302
    assert answered(response.headers["Location"]).keys() == {"a", "code", "state"}


@pytest.mark.parametrize(("answer", "tells"), [("allow", {"a", "code", "state"}), ("refuse", {"a", "state"})])
async def test_userinfo_asks_and_returns_with_the_answer(wechat: WeChat, answer: str, tells: set[str]) -> None:
    anna = await wechat.anna(language="en")
    page = await (await wechat.get(INSIDE, anna, scope="snsapi_userinfo")).text()
    consent = wechat.authorization.open_consents()[0]
    assert consent.id in page
    assert "asks for your nickname" in page
    given = {"consent": consent.id, "answer": answer}
    headers = {"User-Agent": user_agent(anna)}
    how = {"data": given, "headers": headers, "allow_redirects": False}
    response = await wechat.client.post(f"/connect/{INSIDE}", **how)
    assert response.status == 302
    assert answered(response.headers["Location"]).keys() == tells
    again = await wechat.client.post(f"/connect/{INSIDE}", **how)
    assert (again.status, "answered or has expired" in await again.text()) == (200, True)


async def test_another_person_cannot_answer(wechat: WeChat) -> None:
    anna, ben = await wechat.anna(), await wechat.sandbox.create_user("Ben")
    await wechat.get(INSIDE, anna, scope="snsapi_userinfo")
    consent = wechat.authorization.open_consents()[0]
    for person, expected in ((ben, "another user"), (None, "请在微信客户端打开链接")):
        headers = {"User-Agent": user_agent(person)} if person else {}
        given = {"consent": consent.id, "answer": "allow"}
        response = await wechat.client.post(f"/connect/{INSIDE}", data=given, headers=headers)
        assert (response.status, expected in await response.text()) == (200, True)
    assert consent.address is None


async def test_a_website_s_login_cannot_be_refused_inside_wechat_into_a_redirect(wechat: WeChat) -> None:
    anna, consent = await wechat.anna(), await wechat.login()
    given = {"consent": consent, "answer": "refuse"}
    response = await wechat.client.post(f"/connect/{INSIDE}", data=given, headers={"User-Agent": user_agent(anna)})
    assert (response.status, "该链接无法访问" in await response.text()) == (200, True)


async def test_outside_wechat_the_page_says_to_open_it_there(wechat: WeChat) -> None:
    assert "请在微信客户端打开链接" in await (await wechat.get(INSIDE)).text()
    stranger = {"User-Agent": "MicroMessenger/8.0 SandboxUser/u_0123456789ab"}
    response = await wechat.client.get(f"/connect/{INSIDE}", headers=stranger)
    assert "请在微信客户端打开链接" in await response.text()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"appid": ""}, "appid 不能为空，错误码：10012"),
        ({"redirect_uri": ""}, "redirect_uri 不能为空，错误码：10011"),
        ({"scope": None}, "scope 不能为空，错误码：10010"),
        ({"appid": "wxsite"}, "AppID 参数错误"),
        ({"response_type": "token"}, "response_type 参数错误"),
        ({"scope": "snsapi_login"}, "错误码：10005"),
        ({"redirect_uri": "https://www.login.test/"}, "错误码：10003"),
        ({"state": "a-b"}, "state 参数错误"),
        ({"state": "a" * 129}, "state 参数错误"),
    ],
)
async def test_a_wrong_page_inside_wechat_shows_why(
    wechat: WeChat, changes: dict[str, str | None], reason: str
) -> None:
    response = await wechat.get(INSIDE, await wechat.anna(), **changes)
    assert (response.status, reason in await response.text()) == (200, True)


@pytest.mark.parametrize("kind", ["test", "service"])
async def test_only_followers_may_use_the_pages_of_a_test_account(wechat: WeChat, kind: AccountKind) -> None:
    wechat.sandbox.state().account = replace(wechat.account, kind=kind)
    person = await wechat.anna()
    stranger = await wechat.get(INSIDE, person)
    assert ("错误码：10006" in await stranger.text()) is (kind == "test")
    await wechat.sandbox.follow(person, wait=False)
    assert (await wechat.get(INSIDE, person)).status == 302


@pytest.mark.parametrize(("oauth", "scopes"), [("none", 0), ("base", 1), ("userinfo", 2)])
async def test_an_account_asks_for_the_scopes_it_has(
    wechat: WeChat, oauth: WebAuthorizationScope, scopes: int
) -> None:
    wechat.sandbox.state().account = replace(wechat.account, oauth=oauth)
    pages = [await wechat.get(INSIDE, await wechat.anna(), scope=scope) for scope in SCOPES]
    assert ["错误码：10005" not in await page.text() for page in pages].count(True) == scopes


@pytest.mark.parametrize(
    ("order", "good"),
    [
        ("appid redirect_uri response_type scope state", True),
        ("appid redirect_uri response_type scope state forcePopup connect_redirect", True),
        ("appid redirect_uri response_type scope", True),
        ("redirect_uri appid response_type scope state", False),
        ("appid redirect_uri response_type state scope", False),
        ("appid redirect_uri response_type scope forcePopup state", False),
        ("forcePopup appid redirect_uri response_type scope state", False),
        ("appid redirect_uri response_type scope state appid", False),
    ],
)
async def test_the_order_of_parameters_inside_wechat_is_strict(wechat: WeChat, order: str, good: bool) -> None:
    given = {
        "appid": wechat.account.appid,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
    }
    query = urlencode([(name, given.get(name, "1")) for name in order.split()])
    headers = {"User-Agent": user_agent(await wechat.anna())}
    response = await wechat.client.get(f"/connect/{INSIDE}?{query}", headers=headers, allow_redirects=False)
    assert response.status == (302 if good else 200)
    assert good or "参数顺序必须是" in await response.text()


async def test_a_fragment_is_kept_in_a_wrong_place_or_lost(wechat: WeChat) -> None:
    anna, address = await wechat.anna(), "https://login.test/#/route"
    allowed = wechat.authorization.allow(anna, await wechat.login(redirect_uri=address))
    assert str(allowed.address).startswith("https://login.test/#/route?code=")
    response = await wechat.get(INSIDE, anna, redirect_uri=address)
    assert response.headers["Location"].startswith("https://login.test/?code=")
