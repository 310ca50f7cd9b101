"""Attacks on portal sessions: replayed and raced links, other sites' requests, other sessions' secrets."""

import asyncio
import logging
from typing import Any

import pytest
from harness import ORIGIN, World, client, problem
from portal_client import (
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
    visit,
)

from service.config.settings import ConfigError

SIBLING = "https://shop.127.0.0.1.example"
DOORS = (("GET", ""), ("POST", "/tickets"), ("DELETE", "/bindings/main"), ("DELETE", ""))


async def test_a_link_opened_many_times_at_once_opens_once(world: World) -> None:
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
    """Red when `require_portal_session` does not ask whose page it is."""
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


async def test_an_address_without_an_origin_is_refused(make: Any) -> None:
    """It would match every origin. Red when `public_url` may be what has no origin."""
    with pytest.raises(ConfigError, match=r"server\.public_url: must be an address"):
        await make(server={"public_url": "http://login.example/a\\b"})


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
    """Red when `require_portal_session` leaves the answer to any listed page."""
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
