"""The portal, attacked: replayed and raced links, other sites' requests, other sessions' secrets, lost stores."""

import asyncio
import logging
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from harness import ORIGIN, World, client, problem
from harness import world as make_world
from multidict import CIMultiDict
from portal_client import (
    CLUB,
    Visit,
    at_once,
    bearer,
    cookie_of,
    follow,
    go,
    hosted,
    led_from,
    link,
    open_,
    press,
    visit,
)

from models.binding import ChangeSource, UserId
from models.portal import LINK_LIVES
from service import app_keys
from service.storage.embedded_valkey import valkey

SIBLING = "https://shop.127.0.0.1.example"
DOORS = (("GET", ""), ("POST", "/tickets"), ("DELETE", "/bindings/main"), ("DELETE", ""))


async def test_of_many_who_open_one_link_by_both_doors_one_gets_in(world: World) -> None:
    """Red when `open` opens what was opened before."""
    for _ in range(3):
        made = await link(world)
        calls = [follow(world, made) if number % 2 else open_(world, made["token"]) for number in range(6)]
        statuses = await at_once(*calls)
        assert len([status for status in statuses if status in (200, 303)]) == 1
        assert set(statuses) <= {200, 303, 404, 410}


async def test_a_link_is_of_no_use_once_its_session_is_closed(world: World) -> None:
    """Red when `open` asks neither whether a session was opened nor whether it is over."""
    here = await visit(world)
    assert (await here.call("DELETE")).status == 204
    await problem(await open_(world, here.token), 404, "session-not-found")
    assert (await go(world, here.token, **led_from(ORIGIN))).status == 410


async def test_closing_at_once_closes_once_or_finds_it_closed(world: World) -> None:
    """Red when `close` fails for a session that is over."""
    here = await visit(world)
    statuses = await at_once(*(here.call("DELETE") for _ in range(5)))
    assert statuses[0] == 204
    assert set(statuses) <= {204, 404}


async def test_a_cookie_is_taken_from_the_portals_own_page_alone(world: World) -> None:
    """Red when `account_holder` does not ask whose page it is."""
    person = await world.bound("42")
    here = await hosted(world)
    foreign = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": world.url},
        {"Sec-Fetch-Site": "cross-site", "Origin": world.url},
        {"Origin": ORIGIN},
        {"Origin": SIBLING},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"{world.url}/"},
        {"Origin": f"{world.url}0"},
        {"Origin": world.url.replace("http:", "https:")},
        {"Origin": world.url.rpartition(":")[0]},
    ]
    silent = [  # where a GET comes from is not always said; nothing but looking may go unsaid
        {},
        {"Referer": f"{world.url}/portal/{here.id}"},
    ]
    asked = [(headers, source) for headers in foreign for source in DOORS]
    asked += [(headers, source) for headers in silent for source in DOORS if source[0] != "GET"]
    for headers, (method, path) in asked:
        response = await here.call(method, path, headers={**here.cookie, **headers})
        await problem(response, 403, "forbidden-origin")
        assert "Access-Control-Allow-Origin" not in response.headers
    assert len(await world.bindings("42")) == 1
    assert len(world.sandbox.codes()) == 1
    for own in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": world.url}, *silent):
        response = await here.call(headers={**here.cookie, **own})
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers
    response = await here.call("POST", "/tickets", json={}, headers={**here.cookie, "Origin": world.url})
    assert response.status == 201
    response = await here.call(
        "DELETE", "/bindings/main", headers={**here.cookie, "Sec-Fetch-Site": "same-origin"}
    )
    assert response.status == 204
    assert person
    response = await here.call("DELETE", headers={**here.cookie, "Origin": world.url})
    assert response.status == 204


async def test_the_own_origin_is_known_as_browsers_write_it(make: Any) -> None:
    """Red when `public_url` is compared as it is written."""
    world = await make(server={"public_url": "HTTPS://Login.Example:443/scan"})
    made = await link(world)
    response = await go(world, made["token"], **led_from(ORIGIN))
    here = Visit(world, made["token"], cookie_of(response).value)
    own = {"Cookie": f"__Host-scanbind_portal_{here.id}={here.secret}"}
    assert (await here.call(headers={**own, "Origin": "https://login.example"})).status == 200
    for origin in ("https://login.example:443", "http://login.example", "https://Login.Example", world.url):
        await problem(await here.call(headers={**own, "Origin": origin}), 403, "forbidden-origin")


async def test_an_address_without_an_origin_is_no_pages_own(make: Any) -> None:
    """Red when a `public_url` without an origin is anybody's."""
    world = await make(server={"public_url": "http://login.example/a\\b"})
    here = await visit(world)
    for headers in ({"Origin": "http://login.example"}, {"Origin": "null"}, {"Origin": ""}):
        await problem(await here.call(headers={**here.cookie, **headers}), 403, "forbidden-origin")


async def test_with_a_bearer_that_is_wrong_no_cookie_helps(world: World) -> None:
    """Red when the cookie wins over a bearer."""
    here = await hosted(world)
    own = {**here.cookie, "Sec-Fetch-Site": "same-origin"}
    await problem(await here.call(headers={**own, **bearer("x")}), 404, "session-not-found")
    assert (await here.call(headers=own)).status == 200


async def test_a_proxys_own_password_does_not_hide_the_cookie(world: World) -> None:
    """Red when any `Authorization` counts as a bearer."""
    here = await hosted(world)
    basic = {"Authorization": "Basic eDp5"}
    own = {**here.cookie, "Sec-Fetch-Site": "same-origin"}
    assert (await here.call(headers={**own, **basic})).status == 200
    await problem(await here.call(headers=basic), 401, "unauthorized")


async def test_a_secret_enters_its_own_session_alone(world: World) -> None:
    """Red when `enter` does not compare the secret."""
    mine, theirs, elsewhere = await hosted(world), await hosted(world, "43"), await hosted(world, client="club")
    for other in (theirs, elsewhere):
        stolen = Visit(world, other.token, mine.secret)
        for method, path in DOORS:
            for headers in (bearer(mine.secret), {**stolen.cookie, "Sec-Fetch-Site": "same-origin"}):
                await problem(await stolen.call(method, path, headers=headers), 404, "session-not-found")
    assert (await theirs.view())["bindings"] == []


async def test_an_unknown_session_and_a_wrong_secret_are_the_same_answer(world: World) -> None:
    """Red when `enter` says which of them it is."""
    here = await visit(world)
    waiting = (await link(world))["token"]
    ended = await visit(world)
    await ended.call("DELETE")
    told = [
        await (await Visit(world, token, secret).call()).json()
        for token, secret in (
            (here.token, "x"), ("_" * 22, here.secret), ("x", "x"), (waiting, "x"), (ended.token, ended.secret),
        )
    ]  # fmt: skip
    assert len({(one["type"], one["status"], one["detail"]) for one in told}) == 1


async def test_a_token_opens_the_session_it_names_and_not_another_address(world: World) -> None:
    """Red when `open_` believes the token alone."""
    made, other = await link(world), await link(world)
    for session in (other["token"].partition(".")[0], "x", "%00"):
        await problem(await open_(world, made["token"], session=session), 404, "session-not-found")
    for token in (made["token"][:-1], made["token"].partition(".")[0], f"{made['token']}.x", "\xe9"):
        await problem(await open_(world, token, session="x"), 404, "session-not-found")
    assert (await follow(world, made)).status == 303
    assert (await follow(world, other)).status == 303


async def test_another_clients_page_cannot_read_what_it_may_not_have(make: Any) -> None:
    """Red when `account_holder` leaves the answer to any listed page."""
    club = "https://club.example"
    world = await make(clients={"shop": client("shop"), "club": client("club", origins=[club])})
    here = await visit(world)
    for headers in (bearer(here.secret), here.cookie, {**here.cookie, "Sec-Fetch-Site": "same-origin"}):
        response = await here.call(headers={**headers, "Origin": club})
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_neither_log_nor_figures_hold_a_session_or_what_proves_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when the path is logged in place of the route."""
    caplog.set_level(logging.DEBUG)
    made = await link(world, "user-4242", account_name="anna", return_url=f"{ORIGIN}/way-back")
    secret = cookie_of(await follow(world, made)).value
    here = Visit(world, made["token"], secret)
    await follow(world, made)
    await world.call("GET", f"/portal/{here.id}")
    for method, path in DOORS:
        await here.call(method, path, headers=here.cookie)
        await here.call(method, path)
    seen = "\n".join(str(record.__dict__) for record in caplog.records if record.name.startswith("scanbind"))
    assert "/v1/portal-sessions/{session}/bindings/{account}" in seen
    assert "/portal/open/{token}" in seen
    text = seen + await (await world.call("GET", "/metrics")).text()
    for hidden in (here.id, made["token"], secret, "user-4242", "anna", "way-back"):
        assert hidden not in text


async def test_a_disconnect_that_races_an_answer_leaves_one_truth(world: World) -> None:
    """Red when the history is not written."""
    here, person = await visit(world), await world.person()
    for _ in range(5):
        page = await here.bind()
        await world.scan(person, page)
        answer = world.say(person, (await page.poll())["match"])
        removed, _ = await asyncio.gather(here.call("DELETE", "/bindings/main"), answer)
        assert (await page.poll())["outcome"] == "bound"
        told = await here.view()
        assert removed.status == (404 if told["bindings"] else 204)
        assert told["history"][0]["change"] == ("bound" if told["bindings"] else "disconnected")
        if told["bindings"]:
            assert (await here.call("DELETE", "/bindings/main")).status == 204


# --- a link that another person sent


LEADS = {
    "from its site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"},
    "from a page of its site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/settings?a=b#c"},
    "from its site, without metadata": {"Referer": f"{ORIGIN}/"},
    "from the site's other origin": {"Sec-Fetch-Site": "cross-site", "Referer": "https://www.shop.example/"},
    "from a neighbour": {"Sec-Fetch-Site": "same-site"},
    "from a neighbour that sends a Referer": {"Sec-Fetch-Site": "same-site", "Referer": "https://a.example/"},
    "from a page of ours": {"Sec-Fetch-Site": "same-origin"},
}
"""What browsers send that come from where a link opens by itself."""
STRAYS = {
    "silent": {},
    "typed, or from a mail program": {"Sec-Fetch-Site": "none"},
    "typed, with a Referer": {"Sec-Fetch-Site": "none", "Referer": f"{ORIGIN}/"},
    "from a page that hides itself": {"Sec-Fetch-Site": "cross-site"},
    "from another site": {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"},
    "from another site, without metadata": {"Referer": "https://evil.example/"},
    "from another client's site": {"Sec-Fetch-Site": "cross-site", "Referer": f"{CLUB}/"},
    "from a sibling of the site": {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.shop.example/"},
    "by another scheme": {"Sec-Fetch-Site": "cross-site", "Referer": ORIGIN.replace("https", "http")},
    "from another port": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}:444/"},
    "a site that looks alike": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}.evil.example/"},
    "the site as a password": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}@evil.example/"},
    "the site in the path": {"Sec-Fetch-Site": "cross-site", "Referer": f"https://evil.example/{ORIGIN}/"},
    "a backslash": {"Sec-Fetch-Site": "cross-site", "Referer": f"https://evil.example\\@{ORIGIN}/"},
    "null": {"Sec-Fetch-Site": "cross-site", "Referer": "null"},
    "empty": {"Sec-Fetch-Site": "cross-site", "Referer": ""},
    "two in one line": {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/, https://evil.example/"},
    "an Origin in place of it": {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    "no word that browsers send": {"Sec-Fetch-Site": "same-origin, cross-site", "Referer": f"{ORIGIN}/"},
    "another no word": {"Sec-Fetch-Site": "", "Referer": f"{ORIGIN}/"},
}
"""What arrives from anywhere else."""
FORMS = {
    **STRAYS,
    "its site's own form": {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN, "Referer": f"{ORIGIN}/"},
    "its site's form, without metadata": {"Origin": ORIGIN, "Referer": f"{ORIGIN}/"},
    "a neighbour's form": {"Sec-Fetch-Site": "same-site", "Origin": SIBLING},
    "metadata against Origin": {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
    "another site's form": {"Origin": "https://evil.example"},
    "of no origin": {"Origin": "null"},
    "of an empty origin": {"Origin": ""},
    "our origin with a path": {"Origin": "OWN/"},
    "our origin with a digit more": {"Origin": "OWN0"},
    "a Referer in place of it": {"Referer": "OWN/portal/open/x"},
}
"""Forms that the page which asks did not send; OWN is the service's origin."""


@pytest.fixture
async def sites(make: Any) -> World:
    """A world of two clients, of which one has two origins."""
    started: World = await make(
        clients={
            "shop": client("shop", origins=[ORIGIN, "https://www.shop.example"]),
            "club": client("club", origins=[CLUB]),
        }
    )
    return started


async def test_a_link_opens_by_itself_where_its_site_leads_there(sites: World) -> None:
    """Red when `_led_by_its_site` returns False, or compares with the first origin alone."""
    for how, headers in LEADS.items():
        made = await link(sites)
        response = await go(sites, made["token"], **headers)
        assert (response.status, len(response.cookies)) == (303, 1), how
    made = await link(sites)
    assert (await follow(sites, made, origin=sites.url)).status == 303


async def test_a_link_from_anywhere_else_asks_first_and_stays_unused(sites: World) -> None:
    """Red when `_led_by_its_site` returns True, knows any client's origins, or believes a Referer of `none`."""
    made = await link(sites, account_name="mallory")
    for how, headers in STRAYS.items():
        response = await go(sites, made["token"], **headers)
        assert (response.status, len(response.cookies)) == (200, 0), how
        assert 'data-testid="portal-ask"' in await response.text(), how
    assert (await press(sites, made)).status == 303
    assert (await press(sites, made)).status == 410


async def test_a_referer_that_is_sent_twice_counts_as_none(sites: World) -> None:
    """Red when `_led_by_its_site` takes the first of several."""
    made = await link(sites)
    path = f"/portal/open/{made['token']}"
    for more in (ORIGIN, "https://evil.example"):
        headers = CIMultiDict([("Referer", f"{ORIGIN}/"), ("Referer", f"{more}/")])
        response = await sites.call("GET", path, headers=headers, allow_redirects=False)
        assert (response.status, len(response.cookies)) == (200, 0)
    assert (await follow(sites, made)).status == 303


async def test_only_the_button_of_the_page_that_asks_goes_on(sites: World) -> None:
    """Red when `go_on` takes any POST, believes `same-site`, or believes an Origin against the metadata."""
    made = await link(sites)
    path = f"/portal/open/{made['token']}"
    for how, headers in FORMS.items():
        sent = {name: value.replace("OWN", sites.url) for name, value in headers.items()}
        response = await sites.call("POST", path, headers=sent, data={"a": "b"}, allow_redirects=False)
        assert (response.status, len(response.cookies)) == (200, 0), how
        assert 'data-testid="portal-ask"' in await response.text(), how
    response = await sites.call("POST", path, headers={"Origin": sites.url}, allow_redirects=False)
    assert (response.status, len(response.cookies)) == (303, 1)
    here = Visit(sites, made["token"], cookie_of(response).value)
    assert response.headers["Location"] == f"{sites.url}/portal/{here.id}?lang=en"
    assert (await here.call(headers=here.own)).status == 200


async def test_the_button_goes_on_once_and_in_time(world: World) -> None:
    """Red when `_visit` asks about a link that opens no more, or `PortalSession.waits` leaves its end out."""
    used, late = await link(world), await link(world)
    statuses = await at_once(*(press(world, used) for _ in range(5)))
    assert statuses == [303, 410, 410, 410, 410]
    world.clock.advance(LINK_LIVES.total_seconds())
    for made in (used, late):
        for response in (await press(world, made), await follow(world, made, origin=None)):
            assert (response.status, len(response.cookies)) == (410, 0)


async def test_the_page_that_asks_names_account_and_site_and_runs_nothing(make: Any) -> None:
    """Red when `_asking` fills in a name as it came: `cleaning.name` is what the chat shows it by."""
    names = {"name": {"zh": "<b>商城</b>", "en": "Shop & <i>Sons</i>"}}
    world = await make(clients={"shop": client("shop") | names})
    for user_id, account_name, shown in (
        ("42", "anna@shop.example", "anna@shop.example"),
        ("42", None, "42"),
        ("u-1<script>", None, "u-1script"),
        ("42", "</bdi><script>hit=1</script>", "bdiscripthit=1script"),
        ("42", '" onclick="hit=1', "&quot; onclick=&quot;hit=1"),
        ("42", "\u202eanna\u0000\n$$site ${en}", "anna$$site ${en}"),
        ("42", "n" * 200, "n" * 63 + "…"),
        ("42", "https://evil.example/a", "httpsevil.examplea"),
        ("<>", None, "?"),
        ("安娜 😀", "\u200b", "安娜 😀"),
    ):
        made = await link(world, user_id, account_name=account_name)
        text = await (await follow(world, made, origin=None)).text()
        assert text.count(f"<bdi>{shown}</bdi>") == 2
        assert "</bdi> at Shop &amp; &lt;i&gt;Sons&lt;/i&gt;</h1>" in text
        assert "“&lt;b&gt;商城&lt;/b&gt;”" in text
        assert "<script" not in text


@pytest.mark.parametrize("answer", ["match", "wrong", "not me", "yes"])
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
async def test_a_scan_in_the_portal_binds_nothing_unasked(world: World, *, answer: str, lost: bool) -> None:
    """The site asks nothing (`confirm: none`), the portal does; Redis may be lost between question and scan.

    Red when `portal_confirm` returns what is configured, and when `TicketIssuer` keeps the user id in the scene.
    """
    here, person = await visit(world, account_name="mallory"), await world.person()
    page = await here.bind()
    if lost:
        await world.redis.flushall()
    asked = await world.scan(person, page) or ""
    assert "mallory" in asked
    told = await page.poll()
    assert (told["status"], told["outcome"]) == ("scanned", None)
    assert await world.bindings("42") == []
    wrong = "10" if told["match"] != "10" else "11"
    if answer == "not me":
        await world.sandbox.tap(person, "Not me")
    else:
        await world.say(person, {"match": told["match"], "wrong": wrong, "yes": "Yes"}[answer])
    ends = {"match": ("bound", None), "wrong": (None, "wrong_number"), "not me": (None, "declined")}
    told = await page.poll()
    assert (told["outcome"], told["reason"]) == ends.get(answer, (None, None))
    assert told["match"] is None or answer == "yes"
    assert len(await world.bindings("42")) == (1 if answer == "match" else 0)


@pytest.mark.parametrize("user_id", ["42", "4 2", "u" * 128])
async def test_a_bind_of_the_sites_own_is_asked_about_as_configured(world: World, user_id: str) -> None:
    """Red when every bind whose user id is kept in SQL counts as the portal's."""
    person, page = await world.person(), await world.bind(user_id, session="the site's own page")
    await world.scan(person, page)
    assert (await page.poll())["outcome"] == "bound"


@pytest.mark.parametrize(
    ("confirm", "asks"),
    [
        ("none", "Type the two digits"),
        ("tap", "Is that you?"),
        ("choose", "Tap the number"),
        ("match", "Type the two digits"),
    ],
)
async def test_the_portal_asks_what_the_site_asks_and_never_nothing(make: Any, confirm: str, asks: str) -> None:
    """Red when `portal_confirm` returns what is configured, or MATCH whatever that is."""
    world = await make(clients={"shop": client("shop", confirm=confirm)})
    page = await (await visit(world)).bind()
    assert asks in (await world.scan(await world.person(), page) or "")
    assert bool((await page.poll())["match"]) is (confirm != "tap")


async def test_disconnecting_at_once_counts_once_and_is_remembered_with_its_door(world: World) -> None:
    """Red when `disconnect` names the site's door."""
    await world.bound("42")
    here = await visit(world)
    assert await at_once(*(here.call("DELETE", "/bindings/main") for _ in range(4))) == [204, 404, 404, 404]
    entries = await world.app[app_keys.BINDINGS].history("shop", UserId("42"))
    assert [entry.source for entry in entries] == [ChangeSource.PORTAL, ChangeSource.TICKET]


async def test_a_session_outlives_the_loss_of_redis(world: World) -> None:
    here, waiting = await visit(world), await link(world)
    await here.bind()
    await world.redis.flushall()
    assert (await here.view())["first_visit"] is True
    assert (await follow(world, waiting)).status == 303
    page, person = await here.bind(), await world.person()
    await here.connect(person, page)
    assert len((await here.view())["bindings"]) == 1


async def test_a_session_outlives_a_restart_of_the_service(redis_url: str, tmp_path: Path) -> None:
    """Red when keys are made anew at each start."""
    async with make_world(redis_url, tmp_path) as world:
        await world.bound("42")
        before, waiting = await hosted(world), await link(world)
    async with make_world(redis_url, tmp_path) as world:
        here = Visit(world, before.token, before.secret)
        assert len((await here.view())["bindings"]) == 1
        assert (await go(world, waiting["token"], **led_from(ORIGIN))).status == 303
        await problem(await open_(world, before.token), 404, "session-not-found")
        assert (await here.call("DELETE", "/bindings/main")).status == 204


async def test_the_page_of_a_site_that_is_gone_is_framed_by_nobody(redis_url: str, tmp_path: Path) -> None:
    """Red when `client_of` names a client that is configured no more: that was an internal error."""
    async with make_world(redis_url, tmp_path) as world:
        before = await visit(world)
    async with make_world(redis_url, tmp_path, clients={"club": client("club")}) as world:
        response = await world.call("GET", f"/portal/{before.token.partition('.')[0]}")
        assert response.status == 200
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        await problem(await Visit(world, before.token, before.secret).call(), 404, "session-not-found")


async def test_old_sessions_are_thrown_away_by_the_running_service(redis_url: str, tmp_path: Path) -> None:
    """Red when housekeeping leaves portal sessions out."""
    async with make_world(redis_url, tmp_path) as world:
        old, fresh = await link(world), await link(world)
    with closing(sqlite3.connect(tmp_path / "scanbind.sqlite3")) as database, database:
        database.execute("UPDATE portal_sessions SET ends_at = 1 WHERE id = ?", [old["token"].partition(".")[0]])
    async with make_world(redis_url, tmp_path) as world, asyncio.timeout(10):
        while await world.app[app_keys.PORTAL_SESSIONS].linked(old["token"]):
            await asyncio.sleep(0.01)
        assert await world.app[app_keys.PORTAL_SESSIONS].linked(fresh["token"])


async def test_without_redis_all_but_binding_goes_on(tmp_path: Path) -> None:
    """Red when `account_holder` asks Redis for anything."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path))
        async with make_world(url, tmp_path) as world:
            await world.bound("42")
            here, waiting = await visit(world), await link(world)
            await stack.aclose()
            assert len((await here.view())["bindings"]) == 1
            assert (await follow(world, waiting)).status == 303
            response = await here.call("POST", "/tickets", json={})
            await problem(response, 503, "store-unavailable")
            assert (await here.call("DELETE", "/bindings/main")).status == 204
            assert (await here.call("DELETE")).status == 204


async def test_wechat_refusing_a_code_is_told_as_such(make: Any) -> None:
    """Red when WeChat's refusal is a problem of another kind."""
    world = await make(accounts={"main": {"secret": "not the secret"}})
    here = await visit(world)
    await problem(await here.call("POST", "/tickets", json={}), 502, "wechat-unavailable")
