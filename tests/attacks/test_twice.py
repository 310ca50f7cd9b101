"""Repeated headers, parameters and cookies are refused: two readers might each take another one."""

from typing import Any

import pytest
from harness import World, basic, problem
from multidict import CIMultiDict
from portal_client import visit
from posting import prepared

from handlers.routes import ROUTES

ADDRESSES = sorted({(one.method, one.path) for one in ROUTES if one.path != "/wechat/{account}"})


def filled(path: str) -> str:
    """Return an address of the form *path*."""
    for pattern, value in {
        "{script:widget|portal}": "widget",
        "{version:[0-9a-f]+}": "abc",
        "{capability:[A-Za-z0-9_-]+}": "abc",
        "{user_id:[^/]+}": "42",
    }.items():
        path = path.replace(pattern, value)
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_a_parameter_that_stands_twice_is_refused_and_named_at_every_address(
    world: World, method: str, path: str
) -> None:
    """Red when `frame` does not ask `_refuse_repeated`."""
    for query in ("account=a&account=b", "account=a&account=a", "account&account", "b=1&account=a&%61ccount=b"):
        response = await world.call(method, f"{filled(path)}?{query}")
        told = await problem(response, 400, "invalid-request")
        assert told["detail"] == "account: appears more than once in the query"


async def test_which_account_is_disconnected_is_never_a_matter_of_order(world: World) -> None:
    """Red when `frame` does not ask `_refuse_repeated`: the first account was taken in silence."""
    await world.bound("42")
    for query in ("account=main&account=second", "account=second&account=main"):
        await problem(await world.site("DELETE", f"/v1/bindings/42?{query}"), 400, "invalid-request")
    assert len(await world.bindings("42")) == 1
    assert (await world.site("DELETE", "/v1/bindings/42?account=main")).status == 204


@pytest.mark.parametrize("query", ["", "?", "?&", "?&&", "?a=1&b=1", "?a=a=a", "?=1", "?a=%26a"])
async def test_what_stands_once_is_left_alone(world: World, query: str) -> None:
    """Red when `_refuse_repeated` takes a query without any parameter to have one."""
    assert (await world.call("GET", f"/livez{query}")).status == 200


async def test_a_name_is_shown_without_what_could_be_more_than_a_name(world: World) -> None:
    """Red when the detail quotes the query."""
    response = await world.call("GET", "/livez?%0A%22x=1&%0A%22x=2")
    assert (await problem(response, 400, "invalid-request"))["detail"].startswith('?"x: ')


@pytest.mark.parametrize("first", ["site", "bearer", "wrong"])
async def test_credentials_that_stand_twice_are_refused(world: World, first: str) -> None:
    """Red when `_refuse_repeated` counts no Authorization: a proxy may check the other of the two."""
    page = await world.login()
    known = {"site": basic(), "bearer": page.bearer, "wrong": basic(secret="guess")}
    for second in known.values():
        for path in ("/v1/bindings/42", f"/v1/tickets/{page.id}", "/livez"):
            twice = CIMultiDict([*known[first].items(), *second.items()])
            told = await problem(await world.call("GET", path, headers=twice), 400, "invalid-request")
            assert told["detail"] == "Authorization: appears more than once"


async def test_a_push_keeps_the_answer_of_a_wrong_signature(world: World) -> None:
    """Red when the operations of the callback lack `repeats`."""
    push, _ = await prepared(world)
    request = push.request()
    twice = [*request.query.items(), ("nonce", "1")]
    await problem(await push.send(request, query=twice), 403, "bad-signature")
    await problem(await world.call("GET", "/wechat/main?nonce=1&nonce=2"), 403, "bad-signature")
    unknown = [*request.query.items(), ("more", "1"), ("more", "2")]
    assert (await push.send(request, query=unknown)).status == 200, "what is not WeChat's to sign is left alone"


@pytest.mark.parametrize("turned", [False, True])
async def test_lines_of_a_list_are_one_list_in_any_order(world: World, turned: bool) -> None:
    """Red when only the first line of If-None-Match, or of Prefer, is read."""
    page = await world.login()
    tag = (await page.raw()).headers["ETag"]
    tags = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    waits = [("Prefer", "respond-async"), ("Prefer", "wait=1")]
    lines = [*tags, *waits]
    headers = CIMultiDict([*page.bearer.items(), *(reversed(lines) if turned else lines)])
    assert (await world.call("GET", f"/v1/tickets/{page.id}", headers=headers)).status == 304
    style = (await world.call("GET", "/portal.css")).headers["ETag"]
    known = CIMultiDict([("If-None-Match", '"other"'), ("If-None-Match", style)])
    assert (await world.call("GET", "/portal.css", headers=known)).status == 304


async def test_of_several_protocols_the_first_is_the_browsers(make: Any) -> None:
    """Red when the last line wins: each proxy on the way adds how it was itself reached."""
    world = await make(server={"trusted_proxies": ["127.0.0.0/8"]})
    here = await visit(world)
    for told, prefix in ((("https", "http"), "__Host-"), (("http", "https"), "")):
        headers = CIMultiDict([("Cookie", f"{prefix}scanbind_portal_{here.id}={here.secret}")])
        headers.add("Sec-Fetch-Site", "same-origin")
        for one in told:
            headers.add("X-Forwarded-Proto", one)
        assert (await world.call("GET", f"/v1/portal-sessions/{here.id}", headers=headers)).status == 200


async def test_openapi_tells_of_the_refusal_at_every_address(world: World) -> None:
    """Red when `_refusals` tells of what each handler refuses alone."""
    document = await (await world.call("GET", "/openapi.json")).json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert [one["operationId"] for one in operations if "400" not in one["responses"]] == []
