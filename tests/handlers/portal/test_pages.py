"""The portal's pages: a link opens once, and pages have strict headers.

Covers: handlers.portal.cookie.
"""

import re
from typing import Any

import pytest
from harness import ORIGIN, World, problem
from portal_client import CLUB, Visit, cookie_of, follow, go, led_from, link

from models.portal import LINK_LIVES, SESSION_LIVES


async def test_a_link_opens_the_page_with_a_cookie_of_the_sessions_own(world: World) -> None:
    made = await link(world)
    response = await follow(world, made)
    session = made["token"].partition(".")[0]
    assert response.status == 303
    assert response.headers["Location"] == f"{world.url}/portal/{session}?lang=en"
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    cookie = cookie_of(response)
    assert (cookie.key, cookie["path"]) == (f"scanbind_portal_{session}", "/")
    assert cookie["max-age"] == str(int(SESSION_LIVES.total_seconds()))
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["domain"]) == (True, "Strict", "", "")
    opened = Visit(world, made["token"], cookie.value)
    assert (await opened.call(headers=opened.own)).status == 200


async def test_the_page_speaks_the_sessions_language_or_the_clients(two: World) -> None:
    for name, lang, spoken in (
        ("shop", None, "en"),
        ("shop", "zh", "zh"),
        ("club", None, "zh"),
        ("club", "en", "en"),
    ):
        origin = CLUB if name == "club" else ORIGIN
        response = await follow(two, await link(two, client=name, lang=lang), origin=origin)
        assert response.headers["Location"].endswith(f"?lang={spoken}")


async def test_below_a_path_and_by_https_the_cookie_fits(make: Any) -> None:
    world = await make(server={"public_url": "https://login.example/scan"})
    made = await link(world)
    session = made["token"].partition(".")[0]
    assert made["url"] == f"https://login.example/scan/portal/open/{made['token']}"
    response = await go(world, made["token"], **led_from(ORIGIN))
    assert response.headers["Location"] == f"https://login.example/scan/portal/{session}?lang=en"
    cookie = cookie_of(response)
    assert (cookie.key, cookie["path"], cookie["secure"]) == (f"__Host-scanbind_portal_{session}", "/", True)


@pytest.mark.parametrize(
    ("trusted", "told", "secure"),
    [
        (["127.0.0.0/8"], "https", True),
        (["127.0.0.0/8"], "HTTPS, http", True),
        (["127.0.0.0/8"], "http", False),
        (["127.0.0.0/8"], "", False),
        (["10.0.0.0/8"], "https", False),
        ([], "https", False),
    ],
)
async def test_a_trusted_proxy_tells_whether_it_is_https(
    make: Any, trusted: list[str], told: str, secure: bool
) -> None:
    world = await make(server={"public_url": "http://login.example", "trusted_proxies": trusted})
    made = await link(world)
    headers = {**led_from(ORIGIN), "X-Forwarded-Proto": told}
    response = await go(world, made["token"], **headers)
    assert bool(cookie_of(response)["secure"]) is secure
    assert cookie_of(response).key.startswith("__Host-") is secure


async def test_a_used_or_late_link_shows_the_way_back(world: World) -> None:
    used, late = [await link(world, return_url=f"{ORIGIN}/a?b='\"><script>&c") for _ in range(2)]
    assert (await follow(world, used)).status == 303
    world.clock.advance(LINK_LIVES.total_seconds())
    for made in (used, late):
        response = await follow(world, made)
        text = await response.text()
        assert (response.status, response.content_type) == (410, "text/html")
        assert 'href="https://shop.example/a?b=&#x27;&quot;&gt;&lt;script&gt;&amp;c"' in text
        assert "<script>&" not in text
        assert "Example shop" in text
        assert "示例商城" in text
        assert not response.cookies
    bare = await link(world)
    await follow(world, bare)
    assert 'data-testid="portal-return"' not in await (await follow(world, bare)).text()


async def test_an_unknown_link_shows_no_link_back(world: World) -> None:
    made = await link(world, return_url=f"{ORIGIN}/a")
    for token in ("x", "x.y", made["token"][:-1], f"{made['token']}A"):
        response = await world.call("GET", f"/portal/open/{token}", allow_redirects=False)
        assert (response.status, response.content_type) == (404, "text/html")
        assert ORIGIN not in await response.text()
    assert (await follow(world, made)).status == 303


async def test_every_page_is_strict_and_stored_nowhere(world: World) -> None:
    made = await link(world, return_url=ORIGIN)
    await follow(world, made)
    pages = [
        await follow(world, made),
        await world.call("GET", "/portal/open/x"),
        await world.call("GET", f"/portal/{made['token'].partition('.')[0]}?lang=en"),
    ]
    for response in pages:
        policy = response.headers["Content-Security-Policy"]
        for rule in ("default-src 'none'", "base-uri 'none'", "frame-ancestors ", "form-action 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == (
            "no-store, no-transform",
            "no-referrer",
        )
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", await response.text())


async def test_the_page_is_told_its_language_and_session_and_nothing_else(world: World) -> None:
    for asked, spoken in (("?lang=en", "en"), ("?lang=zh", "zh"), ("", "zh"), ("?lang=%22%3E%3Cscript%3E", "zh")):
        text = await (await world.call("GET", f"/portal/abc{asked}")).text()
        assert f'lang="{spoken}"' in text
        assert 'session-id="abc"' in text
    text = await (await world.call("GET", "/portal/%22%3E%3Cscript%3E")).text()
    assert '"><script>' not in text


async def test_the_style_sheet_is_sent_once(world: World) -> None:
    first = await world.call("GET", "/portal.css")
    assert (first.status, first.content_type) == (200, "text/css")
    again = await world.call("GET", "/portal.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


async def test_asking_for_the_head_or_ahead_of_time_leaves_the_link_unused(world: World) -> None:
    made = await link(world)
    path = f"/portal/open/{made['token']}"
    assert (await world.call("HEAD", path, headers=led_from(ORIGIN))).status == 405
    await problem(await world.call("PUT", path, headers=led_from(ORIGIN)), 405, "method-not-allowed")
    for name, value in (
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "Prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("X-Moz", "prefetch"),
    ):
        for method in ("GET", "POST"):
            response = await world.call(method, path, headers={**led_from(ORIGIN), name: value})
            await problem(response, 403, "forbidden-origin")
    assert (await follow(world, made)).status == 303


@pytest.mark.parametrize("dest", ["image", "frame", "embed", "object", "empty", "script"])
async def test_only_going_there_opens_a_link(world: World, dest: str) -> None:
    made = await link(world)
    await problem(await follow(world, made, Sec_Fetch_Dest=dest), 403, "forbidden-origin")
    assert (await follow(world, made, Sec_Fetch_Dest="document")).status == 303


@pytest.mark.parametrize(
    ("asked", "browser", "lang"),
    [
        ("zh", "en-US,en;q=0.9", "zh"),
        (None, "en-GB, zh;q=0.5", "en"),
        (None, "fr, zh-TW;q=0.8, en;q=0.5", "zh"),
        (None, "fr", "en"),  # the client's
        (None, "", "en"),
    ],
)
async def test_a_visit_is_in_the_language_asked_for_else_the_browsers(
    world: World, asked: str | None, browser: str, lang: str
) -> None:
    made = await link(world, lang=asked)
    response = await follow(world, made, Accept_Language=browser)
    assert response.headers["Location"].endswith(f"?lang={lang}")
