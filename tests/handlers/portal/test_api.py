"""The portal's endpoints for sites and for account holders.

Covers: handlers.portal.routes, handlers.portal.schemas.
"""

import re
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, World, basic, client, problem
from portal_client import CLUB, Visit, bearer, cookie_of, follow, link, open_, visit
from yarl import URL

from models.portal import LINK_LIVES, SESSION_LIVES

# --- starting


async def test_a_site_gets_a_link_for_its_user(world: World) -> None:
    made = await link(world, return_url=f"{ORIGIN}/settings", account_name="anna", only_login=True, lang="zh")
    assert made.keys() == {"url", "token", "expires_in"}
    assert made["url"] == f"{world.url}/portal/open/{made['token']}"
    assert made["expires_in"] == LINK_LIVES.total_seconds()
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{32}", made["token"])
    assert (await link(world))["token"] != made["token"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "user_id: is missing"),
        ({"user_id": ""}, "user_id: "),
        ({"user_id": ".."}, "user_id: must be printable"),
        ({"user_id": "a\0"}, "user_id: must be printable"),
        ({"user_id": "x" * 129}, "user_id: "),
        ({"user_id": 42}, "user_id: must be a string"),
        ({"user_id": "42", "account_name": "x" * 257}, "account_name: "),
        ({"user_id": "42", "account_name": 1}, "account_name: must be a string"),
        ({"user_id": "42", "only_login": 1}, "only_login: must be true or false"),
        ({"user_id": "42", "only_login": None}, "only_login: must be true or false"),
        ({"user_id": "42", "lang": "fr"}, "lang: "),
        ({"user_id": "42", "return_url": ORIGIN + "/" + "x" * 2048}, "return_url: "),
        ({"user_id": "42", "return_url": 1}, "return_url: must be a string"),
        ({"user_id": "42", "openid": "o"}, "openid: unknown field"),
    ],
)
async def test_a_link_that_is_not_well_asked_for_is_refused(
    world: World, fields: dict[str, Any], told: str
) -> None:
    response = await world.site("POST", "/v1/portal-sessions", fields)
    assert (await problem(response, 400, "invalid-request"))["detail"].startswith(told)


async def test_the_way_back_is_at_one_of_the_clients_own_origins(two: World) -> None:
    words = "return_url: must be an address at one of the client's origins"
    for url in (
        f"{CLUB}/",
        "https://shop.example.evil/",
        "https://shop.example@evil.example/",
        "javascript:x",
        "//x",
    ):
        response = await two.site("POST", "/v1/portal-sessions", {"user_id": "42", "return_url": url})
        assert (await problem(response, 400, "invalid-request"))["detail"] == words
    for url in (ORIGIN, f"{ORIGIN}/a?b#c", "HTTPS://Shop.Example:443/"):
        assert (await (await visit(two, return_url=url)).view())["return_url"] == url


async def test_only_a_back_end_starts_a_visit(world: World) -> None:
    for headers in ({}, {"Origin": ORIGIN}, basic(secret="wrong"), bearer("x")):
        response = await world.call("POST", "/v1/portal-sessions", json={"user_id": "42"}, headers=headers)
        await problem(response, 401, "unauthorized")
    response = await world.call("POST", "/v1/portal-sessions", data=b"user_id=42", headers=basic())
    await problem(response, 415, "unsupported-media-type")


# --- opening from a page of the site


async def test_a_page_of_the_site_opens_the_link_by_its_token(world: World) -> None:
    made = await link(world)
    response = await open_(world, made["token"], Origin=ORIGIN)
    told = await response.json()
    assert told.keys() == {"secret", "expires_in"}
    assert told["expires_in"] == SESSION_LIVES.total_seconds()
    assert not response.cookies
    assert response.headers["Cache-Control"] == "no-store"
    assert (await Visit(world, made["token"], told["secret"]).call()).status == 200
    await problem(await open_(world, made["token"]), 404, "session-not-found")
    assert (await follow(world, made)).status == 410


async def test_closing_takes_the_code_along_that_the_page_showed(world: World) -> None:
    here = await visit(world)
    page = await here.bind()
    assert (await here.call("DELETE")).status == 204
    assert (await page.poll())["status"] == "cancelled"
    await world.scan(await world.person(), page)
    assert await world.bindings("42") == []


# --- looking


async def test_a_first_visit_shows_what_may_be_bound(two: World) -> None:
    two.clock.hold()
    about = {"account_name": "anna@shop.example", "return_url": f"{ORIGIN}/s", "only_login": True, "lang": "en"}
    here = await visit(two, **about)
    assert await here.view() == {
        "site": {"zh": "示例商城", "en": "Example shop"},
        "account_name": "anna@shop.example",
        "return_url": f"{ORIGIN}/s",
        "only_login": True,
        "lang": "en",
        "expires_in": 1800,
        "profiles": False,
        "first_visit": True,
        "accounts": ["main", "second"],
        "bindings": [],
        "history": [],
    }


async def test_what_was_left_out_is_null(world: World) -> None:
    world.clock.hold()
    told = await (await visit(world)).view()
    names = ("account_name", "return_url", "only_login", "lang")
    assert [told[name] for name in names] == [None, None, False, None]
    world.clock.advance(1000)
    assert (await (await visit(world)).view())["expires_in"] == 1800


async def test_a_bound_wechat_is_shown_without_its_names(world: World) -> None:
    person = await world.bound("42")
    login = await world.login()
    await world.scan(person, login)
    await world.exchange((await login.poll())["code"])
    response = await (await visit(world)).call()
    [bound] = await world.bindings("42")
    told = await response.json()
    names = ("account", "bound_at", "last_login_at", "subscribed", "kind", "profile")
    shown = {name: bound[name] for name in names}
    [label] = [one.pop("label") for one in told["bindings"]]
    assert re.fullmatch("[0-9A-F]{4}", label)
    assert told["bindings"] == [{**shown, "ends_on_unfollow": True}]
    assert shown["last_login_at"]
    assert told["history"] == [{"change": "bound", "account": "main", "at": bound["bound_at"]}]
    text = await response.text()
    assert bound["openid"] not in text
    assert '"42"' not in text
    assert not re.search("openid|unionid|user_id", text)


async def test_the_chat_names_a_connected_wechat_as_the_portal_does(world: World) -> None:
    person = await world.person()
    chat = [await world.scan(person, await world.bind("42")) for _ in ("bound", "already bound")]
    [binding] = (await (await visit(world)).view())["bindings"]
    for said in chat:
        assert f"Identifier ending in {binding['label']}." in (said or "")


async def test_the_first_visit_is_the_first_that_is_remembered(world: World) -> None:
    await world.bound("42")  # elsewhere: this user has not seen the notice yet
    await link(world)  # never opened
    first = await visit(world)
    world.clock.advance(1)
    second = await visit(world)
    assert [(await one.view())["first_visit"] for one in (first, second)] == [True, False]
    assert (await (await visit(world, "43")).view())["first_visit"] is True
    assert (await (await visit(world, client="club")).view())["first_visit"] is True


async def test_the_history_is_newest_first_and_short(world: World) -> None:
    here = await visit(world)
    person = await world.person()
    for _ in range(6):
        await here.connect(person, await here.bind())
        assert (await here.call("DELETE", "/bindings/main")).status == 204
    changes = [line["change"] for line in (await here.view())["history"]]
    assert changes == ["disconnected", "bound"] * 5
    told = await here.view()
    assert told["bindings"] == []


async def test_one_user_sees_nothing_of_another_or_of_another_client(world: World) -> None:
    await world.bound("42")
    for name, user in (("shop", "43"), ("club", "42")):
        told = await (await visit(world, user, client=name)).view()
        assert (told["bindings"], told["history"], told["first_visit"]) == ([], [], True)


# --- binding


async def test_a_scan_of_the_shown_code_binds(two: World) -> None:
    here, person = await visit(two, account_name="anna"), await two.person()
    page = await here.bind(account="second", purpose="bind")
    assert (page.status, page.made["purpose"], page.made["account"]) == (201, "bind", "second")
    assert "anna" not in str(page.made)
    await here.connect(person, page)
    assert (await page.poll())["outcome"] == "bound"
    assert [one["account"] for one in (await here.view())["bindings"]] == ["second"]
    assert [one["account"] for one in await two.bindings("42")] == ["second"]


async def test_the_chat_names_account_browser_and_address(make: Any) -> None:
    world = await make(
        clients={"shop": client("shop", confirm="choose")}, server={"trusted_proxies": ["127.0.0.0/8"]}
    )
    here, person = await visit(world, account_name="anna@shop.example", lang="zh"), await world.person()
    seen = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/130.0", "X-Forwarded-For": "203.0.113.7"}
    response = await here.call("POST", "/tickets", json={}, headers={**bearer(here.secret), **seen})
    scan = await world.sandbox.scan(person, (await response.json())["qr_url"])
    question = scan.delivery.reply
    for word in ("anna@shop.example", "Firefox", "203.0.113.7"):
        assert word in question


async def test_one_visit_is_shown_one_code(world: World) -> None:
    here, other = await visit(world), await visit(world)
    first, again, elsewhere = await here.bind(), await here.bind(), await other.bind()
    assert (first.status, again.status, elsewhere.status) == (201, 200, 201)
    assert again.id == first.id != elsewhere.id
    world.clock.advance(560)
    assert (await here.bind()).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"account":"second"}',
        b'{"purpose":"login"}',
        b'{"user_id":"43"}',
        b'{"account":"a","account":"b"}',
    ],
)
async def test_a_code_that_is_not_well_asked_for_is_refused(world: World, body: bytes) -> None:
    here = await visit(world)
    headers = {**bearer(here.secret), "Content-Type": "application/json"}
    await problem(await here.call("POST", "/tickets", data=body, headers=headers), 400, "invalid-request")
    headers["Content-Type"] = "text/plain"
    await problem(await here.call("POST", "/tickets", data=b"{}", headers=headers), 415, "unsupported-media-type")
    assert world.sandbox.codes() == []


async def test_codes_of_the_portal_count_like_those_of_pages(make: Any) -> None:
    world = await make(limits={"tickets_per_address": 2, "tickets_per_client": 0})
    here = await visit(world)
    assert [(await here.bind()).status for _ in range(2)] == [201, 200]
    response = await here.call("POST", "/tickets", json={})
    await problem(response, 429, "rate-limited")
    assert int(response.headers["Retry-After"]) > 0


# --- disconnecting


async def test_an_account_is_disconnected_and_the_history_names_the_portal(two: World) -> None:
    here, person = await visit(two), await two.person()
    for account in ("main", "second"):
        await here.connect(person, await here.bind(account=account))
    assert (await here.call("DELETE", "/bindings/second")).status == 204
    assert [one["account"] for one in (await here.view())["bindings"]] == ["main"]
    await problem(await here.call("DELETE", "/bindings/second"), 404, "binding-not-found")
    for account in ("nobody", "%00", "%F0%9F%98%80", "%22"):
        await problem(await here.call("DELETE", f"/bindings/{account}"), 404, "binding-not-found")


# --- ending


async def test_a_closed_session_ends_for_all_holders_and_its_cookie_is_deleted(world: World) -> None:
    made = await link(world)
    secret = cookie_of(await follow(world, made)).value
    here = Visit(world, made["token"], secret)
    response = await here.call("DELETE", headers=here.own)
    assert (response.status, await response.read()) == (204, b"")
    cookie = response.cookies[f"scanbind_portal_{here.id}"]
    assert (cookie["path"], cookie["max-age"], cookie.value) == ("/", "0", "")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/tickets"), ("DELETE", "/bindings/main")):
        for headers in (here.own, bearer(secret)):
            response = await here.call(method, path, headers=headers)
            await problem(response, 404, "session-not-found")
    assert not (await (await visit(world)).call("DELETE")).cookies


async def test_a_session_is_over_after_half_an_hour(world: World) -> None:
    world.clock.hold()
    here = await visit(world)
    world.clock.advance(SESSION_LIVES.total_seconds() - 5)
    assert (await here.view())["expires_in"] == 5
    world.clock.advance(5)
    await problem(await here.call(), 404, "session-not-found")


async def test_no_credentials_are_asked_for_and_wrong_ones_find_nothing(world: World) -> None:
    here = await visit(world)
    doors = (("GET", ""), ("DELETE", ""), ("POST", "/tickets"), ("DELETE", "/bindings/main"))
    for method, path in doors:
        for headers in ({}, basic(), {"Authorization": "Bearer"}, {"Authorization": here.secret}):
            response = await here.call(method, path, headers=headers)
            await problem(response, 401, "unauthorized")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        for secret in ("x", here.token, here.secret + "x"):
            await problem(await here.call(method, path, headers=bearer(secret)), 404, "session-not-found")
    await problem(await here.call("POST", "/open", headers={}), 401, "unauthorized")


# --- other pages


async def test_only_the_clients_pages_may_read_and_credentials_are_never_allowed(two: World) -> None:
    for origin, name, allowed in (
        (ORIGIN, "shop", ORIGIN),
        (CLUB, "club", CLUB),
        (CLUB, "shop", None),
        ("https://evil.example", "shop", None),
    ):
        made = await link(two, client=name)
        opened = await open_(two, made["token"], Origin=origin)
        here = Visit(two, made["token"], (await opened.json())["secret"])
        headers = {**bearer(here.secret), "Origin": origin}
        answers = [
            opened,
            await here.call(headers=headers),
            await here.call("POST", "/tickets", json={}, headers=headers),
            await here.call("DELETE", "/bindings/main", headers=headers),
            await here.call("DELETE", headers=headers),
        ]
        assert [one.status for one in answers] == [200, 200, 201, 404, 204]
        assert {one.headers.get("Access-Control-Allow-Origin") for one in answers} == {allowed}
        assert not any("Access-Control-Allow-Credentials" in one.headers for one in answers)


async def test_preflights_are_answered_at_endpoints_of_pages_alone(two: World) -> None:
    for path in ("", "/open", "/tickets", "/bindings/main"):
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        response = await two.call("OPTIONS", f"/v1/portal-sessions/x{path}", headers=headers)
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert (await two.call("OPTIONS", "/v1/portal-sessions", headers={"Origin": ORIGIN})).status == 405
    assert (await two.call("OPTIONS", "/portal/x", headers={"Origin": ORIGIN})).status == 405


async def end_visits(world: World, query: str, *, client: str = "shop") -> ClientResponse:
    return await world.site("DELETE", f"/v1/portal-sessions{query}", client=client)


async def test_a_site_ends_its_users_visits_and_the_codes_that_they_show(world: World) -> None:
    """Red when `close_all` leaves out links, open sessions or their codes, or forgets whose they are."""
    waiting, one, two = await link(world), await visit(world), await visit(world)
    others = [await visit(world, "43"), await visit(world, client="club")]
    shown = [await here.bind() for here in (one, two)]
    own = await world.bind("42", session="the site's own page")
    for _ in range(2):
        assert (await end_visits(world, "?user_id=42")).status == 204
    assert (await follow(world, waiting)).status == 410
    for here in (one, two):
        await problem(await here.call(), 404, "session-not-found")
    assert [(await page.poll())["status"] for page in shown] == ["cancelled", "cancelled"]
    assert (await own.poll())["status"] == "pending"
    for here in others:
        assert (await here.call()).status == 200
    assert (await (await visit(world)).call()).status == 200


async def test_ending_visits_where_there_are_none_is_no_fault(world: World) -> None:
    assert (await end_visits(world, "?user_id=nobody")).status == 204


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?user_id=",
        "?user_id=42&user_id=43",
        "?user_id=42&client=club",
        "?user=42",
        "?user_id=%FF",
        "?user_id=%00",
    ],
)
async def test_whose_visits_end_must_be_said_plainly(world: World, query: str) -> None:
    here = await visit(world)
    address = URL(f"{world.url}/v1/portal-sessions{query}", encoded=True)
    async with world.http.delete(address, headers=basic()) as response:
        await problem(response, 400, "invalid-request")
    assert (await here.call()).status == 200


async def test_only_a_back_end_ends_its_users_visits(world: World) -> None:
    here = await visit(world)
    for headers in ({}, here.own, bearer(here.secret), {"Origin": ORIGIN}, basic(secret="wrong")):
        response = await world.call("DELETE", "/v1/portal-sessions?user_id=42", headers=headers)
        await problem(response, 401, "unauthorized")
    assert (await here.call()).status == 200
