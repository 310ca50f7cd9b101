"""Binding and disconnecting in the portal: questions asked, races, and outages."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from harness import ORIGIN, World, client, problem
from harness import world as make_world
from portal_client import (
    Visit,
    at_once,
    follow,
    go,
    hosted,
    led_from,
    link,
    open_,
    visit,
)
from redirecting import WEBSITE_LOGIN, redirecting
from wechat_browser import browsing

from models.binding import ChangeSource, UserId
from service import app_keys
from service.storage.embedded_valkey import valkey


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
    """Red when `portal_confirm` returns what is configured, or always MATCH."""
    world = await make(clients={"shop": client("shop", confirm=confirm)})
    page = await (await visit(world)).bind()
    assert asks in (await world.scan(await world.person(), page) or "")
    assert bool((await page.poll())["match"]) is (confirm != "tap")


async def test_disconnecting_at_once_counts_once_and_the_history_names_the_portal(world: World) -> None:
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


async def test_the_page_of_a_removed_client_may_not_be_framed(redis_url: str, tmp_path: Path) -> None:
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
    """Red when `require_portal_session` asks Redis for anything."""
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


@pytest.mark.parametrize("end", ["closed", "stolen"])
async def test_a_browser_on_its_way_to_wechat_binds_for_its_own_open_session_alone(make: Any, end: str) -> None:
    """Red when closing a session cancels no redirect, or when a state is taken from another browser."""
    world, person = await redirecting(make, WEBSITE_LOGIN)
    here = await visit(world, account_name="mallory")
    made = await here.call("POST", "/tickets", json={"method": "website"}, headers=here.own)
    async with browsing(world) as browser, browsing(world) as other:
        name, _, value = here.cookie["Cookie"].partition("=")
        for one in (browser, other):
            one.http.cookie_jar.update_cookies({name: value})
        await browser.open((await made.json())["authorize_url"])
        if end == "closed":
            assert (await here.call("DELETE")).status == 204
        other.at = browser.at
        assert (await (browser if end == "closed" else other).allow(person)).status == 400
    assert await world.bindings("42") == []
