"""Security headers of every response: no sniffing, caching, framing or device access without need."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientResponse
from harness import ACCOUNT, ORIGIN, SECOND, Page, World, basic, client
from harness import world as make_world
from portal_client import CLUB, Visit, bearer, cookie_of, follow, go, hosted, led_from, link, visit

from handlers.assets import SCRIPTS
from handlers.routes import ROUTES
from service.bindings.repository import Bindings
from service.storage.embedded_valkey import valkey

KEPT: Final = {
    r"/widget\.js": "public, max-age=300, no-transform",
    r"/widget-[0-9a-f]{16}\.js": "public, max-age=31536000, immutable, no-transform",
    r"/portal\.(css|svg)|/openapi\.json": "no-cache",
    r"/v1/qr/.+": r"private, max-age=\d+, immutable, no-transform",
    r"/v1/tickets/[^/]+(/events)?|/(portal|authorize|panel|link|oauth|undo)/.+": "no-store, no-transform",
    r"/|/problems/.+": "no-store, no-transform",
}
"""What browsers may cache and proxies may change, by path; everything else is `no-store`."""
SHOWN: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store, no-transform",
}
ASKING: Final = {**SHOWN, "Referrer-Policy": "same-origin"}
"""Of the page whose form opens a link: its own origin must go with it."""
POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


@pytest.fixture
async def two(make: Any) -> World:
    """A world of two clients, of which one has two origins."""
    started: World = await make(
        clients={
            "shop": client("shop", origins=[ORIGIN, "https://www.shop.example"]),
            "club": client("club", origins=[CLUB]),
        }
    )
    return started


def policy(response: ClientResponse) -> dict[str, str]:
    """Return the rules of an answer's content policy."""
    rules = [rule.strip().partition(" ") for rule in response.headers["Content-Security-Policy"].split(";")]
    assert len({name for name, _, _ in rules}) == len(rules)
    return {name: value for name, _, value in rules}


def guarded(response: ClientResponse, *, framers: str = "'none'", asks: bool = False) -> None:
    """Check all that a page of the service must say; the one that *asks* may send its form to the service."""
    assert response.content_type == "text/html"
    assert {name: response.headers.get(name) for name in SHOWN} == (ASKING if asks else SHOWN)
    form = {"form-action": "'self'"} if asks else {}
    assert policy(response) == {**POLICY, **form, "frame-ancestors": framers}
    lent = response.headers["Permissions-Policy"].split(", ")
    assert {"camera=()", "clipboard-read=()", "geolocation=()", "microphone=()", "payment=()"} <= set(lent)
    assert all(re.fullmatch(r"[a-z-]+=\(\)", power) for power in lent)


async def test_every_page_of_a_session_is_framed_by_its_sites_pages_alone(two: World) -> None:
    """Red when `security_headers.PRIVATE` lacks a header, its policy lacks a rule, or all origins are named."""
    for name, origin, framers in (("shop", ORIGIN, f"{ORIGIN} https://www.shop.example"), ("club", CLUB, CLUB)):
        made = await link(two, client=name)
        guarded(await follow(two, made, Sec_Fetch_Dest="iframe", Sec_Fetch_Site="cross-site"), framers=framers)
        opened = await follow(two, made, origin=origin)
        assert {key: opened.headers.get(key) for key in SHOWN} == SHOWN
        guarded(await two.call("GET", f"/portal/{made['token'].partition('.')[0]}"), framers=framers)
        guarded(await follow(two, made), framers=framers)


async def test_the_page_that_asks_may_not_be_framed_and_posts_to_its_own_origin(two: World) -> None:
    """Red when `_confirmation_page` names framers, its session's own site among them, or leaves `has_form` out."""
    made = await link(two)
    for site in ({"Sec_Fetch_Site": "none"}, {"Sec_Fetch_Site": "cross-site", "Referer": "https://evil.example/"}):
        response = await follow(two, made, **site)
        guarded(response, asks=True)
        assert not response.cookies
    guarded(await two.call("POST", f"/portal/open/{made['token']}"), asks=True)


async def test_a_page_of_an_unknown_session_may_not_be_framed(two: World) -> None:
    """Red when a page without framers may be framed by any page."""
    for session in ("x", "_" * 22, "%00", "*", "https:", "a;script-src *", "%0d%0aSet-Cookie:a=b"):
        response = await two.call("GET", f"/portal/{session}")
        guarded(response)
        assert not response.cookies
    guarded(await two.call("GET", "/portal/open/x", allow_redirects=False))
    guarded(await two.call("GET", "/portal/open/x", headers={"Sec-Fetch-Dest": "iframe"}))


async def test_without_the_database_the_page_may_not_be_framed(two: World) -> None:
    """Red when `_framers` lets the error out, or falls back to every origin."""
    here = await visit(two)
    with closing(sqlite3.connect(two.settings.data_dir / "scanbind.sqlite3")) as database, database:
        database.execute("ALTER TABLE portal_sessions RENAME TO gone")
    guarded(await two.call("GET", f"/portal/{here.id}"))


@pytest.mark.parametrize("site", ["same-site", "same-origin"])
async def test_a_link_is_opened_in_a_neighbours_frame(two: World, site: str) -> None:
    """Red when every frame is a stranger's."""
    response = await follow(two, await link(two), Sec_Fetch_Dest="iframe", Sec_Fetch_Site=site)
    assert response.status == 303


@pytest.mark.parametrize("site", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site, x"}, {}])
async def test_a_link_in_any_other_frame_stays_unused(two: World, site: dict[str, str]) -> None:
    """Red when `enter` asks nothing of frames."""
    made = await link(two, lang="zh")
    headers = {"Sec-Fetch-Dest": "iframe", "Referer": f"{ORIGIN}/", **site}
    response = await go(two, made["token"], **headers)
    assert (response.status, response.cookies) == (200, {})
    assert '<html lang="zh">' in await response.text()
    assert (await follow(two, made)).status == 303


# --- cookies


async def test_by_https_no_cookie_without_the_prefix_is_taken(make: Any) -> None:
    """Red when `portal_cookie` leaves the prefix out: a neighbouring host can set such a cookie for this one."""
    world = await make(server={"public_url": "https://login.example"})
    made = await link(world)
    cookie = cookie_of(await go(world, made["token"], **led_from(ORIGIN)))
    here = Visit(world, made["token"], cookie.value)
    assert cookie.key == f"__Host-scanbind_portal_{here.id}"
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    names = {
        cookie.key: 200,
        f"scanbind_portal_{here.id}": 401,
        f"__Secure-scanbind_portal_{here.id}": 401,
        f"__host-scanbind_portal_{here.id}": 401,
        "__Host-scanbind_portal_": 401,
        "scanbind_portal": 401,
    }
    for name, status in names.items():
        headers = {"Cookie": f"{name}={here.secret}", "Sec-Fetch-Site": "same-origin"}
        assert (await here.call(headers=headers)).status == status, name


async def test_two_portals_in_one_browser_keep_apart(world: World) -> None:
    """Red when the cookie's name is the same for all sessions."""
    one, other = await hosted(world, "42", account_name="anna"), await hosted(world, "43", account_name="ben")
    both = {"Cookie": f"{one.cookie['Cookie']}; {other.cookie['Cookie']}", "Sec-Fetch-Site": "same-origin"}
    for here, name in ((one, "anna"), (other, "ben")):
        assert (await (await here.call(headers=both)).json())["account_name"] == name
    closed = await one.call("DELETE", headers=both)
    assert cookie_of(closed).key == f"scanbind_portal_{one.id}"
    assert (await other.call(headers=both)).status == 200


# --- every answer


def guards(response: ClientResponse) -> int:
    """Check what every answer must say; return its status."""
    where = (response.method, response.url.path, response.status)
    assert response.headers["X-Content-Type-Options"] == "nosniff", where
    assert "Set-Cookie" not in response.headers or response.status == 303, where
    good = [kept for path, kept in KEPT.items() if re.fullmatch(path, response.url.path)]
    page = response.content_type == "text/html"
    kept = good[0] if good and (page or response.status in (200, 304)) else "no-store"
    assert re.fullmatch(kept, response.headers["Cache-Control"]), where
    if page:
        asks = response.url.path.startswith("/portal/open/") and response.status == 200
        assert {name: response.headers.get(name) for name in SHOWN} == (ASKING if asks else SHOWN), where
        assert "unsafe" not in response.headers["Content-Security-Policy"], where
    return response.status


def filled(path: str, here: Visit, page: Page) -> str:
    """Return a route's path with values that exist."""
    values = {
        "ticket": page.id, "capability": re.split(r"[/.]", page.made["qr_svg"])[-2], "user_id": "42",
        "session": here.id, "token": here.token, "account": "main", "script": "widget",
        "version": SCRIPTS["widget"].version, "file": "none", "name": "main", "app": "mini", "state": "0" * 32,
        "slug": "not-found",
        "segment": "plain",
    }  # fmt: skip
    return re.sub(r"{(\w+)(?::[^}]*)?}", lambda named: values[named[1]], path)


async def test_every_route_says_what_browsers_need_to_hear_however_it_answers(make: Any) -> None:
    """Red when `middleware.mark` leaves out nosniff or what is not to be kept, and for a page made elsewhere."""
    world: World = await make(limits={"tickets_per_user": 0})
    seen = set()
    for route in ROUTES:
        here, page = await visit(world), await world.bind("42", refresh=True)
        path = filled(route.path, here, page)
        body = {"data": b" " * 70_000, "headers": {"Content-Type": "application/json"}}
        asked: list[dict[str, Any]] = [
            {},
            body,
            {"json": {}, "headers": basic()},
            {"data": b"x", "headers": {**basic(), "Content-Type": "text/plain"}},
            {"headers": {"Expect": "nothing"}},
            {"headers": {"If-None-Match": "*", "Origin": ORIGIN, "Accept": "text/html"}},
            {"headers": {**bearer("x"), "Accept": "text/html"}},
            {"headers": {**here.cookie, "Sec-Fetch-Site": "cross-site"}},
            {"headers": bearer(here.secret)},
            {"headers": page.bearer},
        ]
        for how in asked:
            address = world.url + path
            async with world.http.request(route.method, address, allow_redirects=False, **how) as response:
                seen.add(guards(response))  # of a stream, the beginning
        seen.add(guards(await world.call("PATCH", path)))
    seen.add(guards(await world.call("GET", "/nowhere")))
    assert seen >= {200, 204, 400, 401, 403, 404, 405, 410, 413, 415}


@pytest.fixture
async def lonely(tmp_path: Path) -> AsyncIterator[tuple[World, AsyncExitStack]]:
    """A world whose WeChat refuses one account, and which may lose its Redis: close the stack."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path))
        async with make_world(
            url, tmp_path,
            official={"main": ACCOUNT, "second": SECOND},
            accounts={"second": {"secret": "not the secret"}},
            clients={"shop": client("shop", accounts=["main", "second"])},
            limits={"tickets_per_address": 2},
        ) as world:  # fmt: skip
            yield world, stack


async def test_failures_say_it_too(lonely: tuple[World, AsyncExitStack], monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `mark` leaves failures out."""
    world, stack = lonely
    body = {"purpose": "login", "client_id": "shop"}
    statuses = []
    for account in ("main", "second", "main"):
        answer = world.call("POST", "/v1/tickets", json={**body, "account": account}, headers={"Origin": ORIGIN})
        statuses.append(guards(await answer))
    await stack.aclose()
    statuses.append(guards(await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})))
    statuses.append(guards(await world.call("GET", "/readyz")))

    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(Bindings, "of_user", fail)
    statuses.append(guards(await world.site("GET", "/v1/bindings/42")))
    assert statuses == [201, 502, 429, 503, 503, 500]


async def test_a_poll_carries_nothing_more_than_it_did(world: World) -> None:
    """A page's headers are for pages: polls are many. Red when `mark` puts a page's headers on everything."""
    page = await world.login()
    for response in (await page.raw(), await page.raw(If_None_Match=(await page.raw()).headers["ETag"])):
        ours = {"cache-control", "etag", "server", "vary", "x-content-type-options", "x-request-id"}
        http = {"connection", "content-length", "content-type", "date"}
        assert {name.lower() for name in response.headers} - http == ours
