"""Pages inside WeChat: what their sites are asked, and what the frame is answered.

Red when two people share cookies, when a form has another origin than its page, or when the User-Agent is that of
the real browser.
"""

import asyncio
import io
from typing import Any

import pytest
from aiohttp import web
from inside_wechat import Inside, Site

from sandbox.authorization.inside import user_agent
from sandbox.in_app_browser import browser


async def test_a_site_sees_the_browser_of_the_persons_wechat(inside: Inside, site: Site) -> None:
    anna = await inside.wechat.anna(language="zh_CN")
    site.shows("/shop", "<h1>商城</h1>", Cache_Control="no-store", X_Frame_Options="DENY")
    response = await inside.open(anna, "/shop?a=%2F&b=1+2", headers={"User-Agent": "Mozilla/5.0 Desktop"})
    assert (response.status, await response.text()) == (200, "<h1>商城</h1>")
    assert response.headers["Cache-Control"] == "no-store"
    assert "X-Frame-Options" not in response.headers
    (request,) = site.seen
    assert request.raw_path == "/shop?a=%2F&b=1+2"
    assert request.headers["User-Agent"] == user_agent(anna)
    assert request.headers["Accept-Language"].startswith("zh-CN")
    assert request.headers["Sec-Fetch-Dest"] == "document"
    assert request.headers["Sec-Fetch-Site"] == "none"
    assert "Origin" not in request.headers
    assert "Referer" not in request.headers


async def test_each_person_has_cookies_of_their_own_and_the_real_browser_none(inside: Inside, site: Site) -> None:
    site.shows("/", Set_Cookie="shop=anna; Path=/; HttpOnly; SameSite=Lax")
    anna, ben = await inside.wechat.anna(), await inside.wechat.sandbox.create_user("Ben")
    response = await inside.open(anna, "/")
    assert "Set-Cookie" not in response.headers
    assert not list(inside.client.session.cookie_jar)
    site.shows("/")
    await inside.open(anna, "/", headers={"Cookie": "shop=ben"})
    assert site.seen[-1].headers["Cookie"] == "shop=anna"
    await inside.open(ben, "/")
    assert "Cookie" not in site.seen[-1].headers


async def test_snapshots_have_cookies_of_their_own_which_end_with_them(inside: Inside, site: Site) -> None:
    anna = await inside.wechat.anna()

    async def given(value: str) -> str | None:
        site.shows("/", Set_Cookie=f"c={value}")
        await inside.open(anna, "/")
        return site.seen[-1].headers.get("Cookie")

    assert await given("full") is None
    await inside.wechat.post("snapshots", user=anna.id)
    assert await given("snapshot") is None
    assert await given("snapshot") == "c=snapshot"
    await inside.wechat.post("snapshots", user=anna.id, on=False)
    assert await given("full") == "c=full"
    await inside.wechat.post("snapshots", user=anna.id)
    assert await given("snapshot") is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/next?a=%2F#part", "{site}/next?a=%2F#part"),
        ("next", "{site}/login/next"),
        ("?say=again", "{site}/login/start?say=again"),
        ("https://open.example:8443/x?y=z#wechat_redirect", "https://open.example:8443/x?y=z#wechat_redirect"),
        ("//other.example", "http://other.example/"),
    ],
)
async def test_a_redirect_stays_in_the_browser(
    inside: Inside, site: Site, status: int, location: str, leads_to: str
) -> None:
    anna = await inside.wechat.anna()
    site.shows("/login/start", status=status, Location=location)
    response = await inside.open(anna, "/login/start")
    to = inside.address(anna, leads_to.format(site=site.url))
    assert (response.status, response.headers["Location"]) == (status, to)


async def test_a_form_comes_from_the_page_that_it_is_on(inside: Inside, site: Site) -> None:
    anna = await inside.wechat.anna()
    site.shows("/login/start", status=303, Location="/", Set_Cookie="c=1")
    page = inside.origin + inside.address(anna, f"{site.url}/login?say=a")
    headers = {
        "Origin": inside.origin,
        "Referer": page,
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Dest": "iframe",
    }
    response = await inside.open(anna, "/login/start", "POST", data={"method": "h5"}, headers=headers)
    assert response.status == 303
    (request,) = site.seen
    assert (request.method, site.bodies) == ("POST", [b"method=h5"])
    assert request.content_type == "application/x-www-form-urlencoded"
    told = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Host")
    assert {name: request.headers.get(name) for name in told} == {
        "Origin": site.url,
        "Referer": f"{site.url}/login?say=a",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
        "Host": site.url.removeprefix("http://"),
    }


@pytest.mark.parametrize(
    ("page", "where"), [("http://127.0.0.1:1/a", "same-site"), ("https://login.test:8443/a?b", "cross-site")]
)
async def test_another_page_is_named_by_its_origin_alone(
    inside: Inside, site: Site, page: str, where: str
) -> None:
    anna = await inside.wechat.anna()
    site.shows("/")
    headers = {"Origin": inside.origin, "Referer": inside.origin + inside.address(anna, page)}
    await inside.open(anna, "/", "POST", headers=headers)
    origin = page.partition("/a")[0]
    (request,) = site.seen
    assert (request.headers["Origin"], request.headers["Referer"]) == (origin, f"{origin}/")
    assert request.headers["Sec-Fetch-Site"] == where


async def test_a_script_asks_as_from_its_page(inside: Inside, site: Site) -> None:
    anna = await inside.wechat.anna()
    site.shows("/v1", Content_Type="application/json", ETag='"1"', Retry_After="3")
    headers = {
        "Accept": "*/*",
        "Authorization": "Bearer s",
        "Prefer": "wait=5",
        "Referer": inside.origin + inside.address(anna, "http://127.0.0.1:1/a"),
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "empty",
    }
    response = await inside.open(anna, "/v1", headers=headers)
    assert (response.headers["ETag"], response.headers["Retry-After"]) == ('"1"', "3")
    (request,) = site.seen
    kept = {
        name: request.headers[name] for name in ("Authorization", "Prefer", "Sec-Fetch-Mode", "Sec-Fetch-Dest")
    }
    assert kept == {name: headers[name] for name in kept}
    assert request.headers["Origin"] == "http://127.0.0.1:1"


async def test_a_page_of_another_site_opens_nothing(inside: Inside, site: Site) -> None:
    """Red when `access.guard` does not know the address: a form elsewhere would come as one of the site itself."""
    anna = await inside.wechat.anna()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        response = await inside.open(anna, "/", "POST", headers=headers)
        assert response.status == 403
    assert site.seen == []


async def test_what_wechat_asks_is_asked_and_answered_in_the_browser(inside: Inside) -> None:
    anna, wechat = await inside.wechat.anna(), "http://phone.test"
    back = "http%3A%2F%2F127.0.0.1%2Fback"
    query = f"appid={inside.wechat.account.appid}&redirect_uri={back}&response_type=code&scope=snsapi_userinfo"
    page = await inside.open(anna, f"{wechat}/connect/oauth2/authorize?{query}&state=s1")
    text = await page.text()
    here = inside.address(anna, wechat)
    assert f'action="{here}/connect/oauth2/authorize"' in text
    style = await inside.client.get(f"{here}/sandbox/web/authorization.css")
    assert (style.status, style.content_type) == (200, "text/css")
    (consent,) = inside.wechat.authorization.open_consents()
    form = {"consent": consent.id, "answer": "allow"}
    answer = await inside.open(anna, f"{wechat}/connect/oauth2/authorize", "POST", data=form)
    assert answer.headers["Location"].startswith(inside.address(anna, "http://127.0.0.1/back?code="))


async def _stream(_: web.Request) -> web.Response:
    return web.Response(text="data: {}\n\n", content_type="text/event-stream")


async def _large(_: web.Request) -> web.Response:
    return web.Response(body=bytes(browser.LARGEST + 1))


async def _slow(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def _odd(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://[/"})


@pytest.mark.parametrize(
    ("answer", "why"),
    [(_stream, "streams"), (_large, "4 MiB"), (_slow, ""), (_odd, "")],
    ids=["stream", "large", "slow", "odd"],
)
async def test_what_does_not_end_or_is_too_large_is_a_page_that_says_so(
    inside: Inside, site: Site, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    monkeypatch.setattr(browser, "ARRIVES_WITHIN", 0.5 if answer is _slow else 30)
    site.answers["/"] = answer
    response = await inside.open(await inside.wechat.anna(language="en"), "/")
    text = await response.text()
    assert (response.status, "There is no answer from" in text, why in text) == (502, True, True)


async def test_a_site_that_is_away_is_a_page_that_says_so(inside: Inside) -> None:
    response = await inside.open(await inside.wechat.anna(language="zh_CN"), "http://127.0.0.1:1/")
    assert (response.status, "网页没有响应：" in await response.text()) == (502, True)


async def test_a_body_has_an_upper_end(inside: Inside, site: Site) -> None:
    response = await inside.open(await inside.wechat.anna(), "/", "POST", data=io.BytesIO(bytes(2**20 + 1)))
    assert (response.status, site.seen) == (413, [])
