"""What the doctor does with the answers of a server that is not the service, or of a proxy that changes them.

Red when the doctor follows a redirect, reads without end, passes control characters on, loses what it has found,
or warns of what a proxy may do.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from doctoring import one_fault, reached_at, told
from harness import World
from proxy import Proxy, Rule, proxy
from yarl import URL


async def test_the_token_is_sent_to_the_public_address_alone(world: World) -> None:
    """Red when the doctor follows a redirect, with its token, to a host that its operator did not name."""
    async with proxy(world.url) as inside, proxy(world.url) as between:

        async def leads_inside(request: web.Request, _: Proxy) -> web.Response | None:
            elsewhere = {"Location": inside.url + request.raw_path}
            return None if request.path == "/livez" else web.Response(status=302, headers=elsewhere)

        between.rule = leads_inside
        fault = await one_fault(world, between.url)
    assert fault.startswith("warning  server.public_url: a proxy answers in place of the service, with status 302")
    assert inside.asked == []


async def test_what_was_found_before_a_connection_breaks_is_told(world: World) -> None:
    async with proxy(world.url) as between:

        async def breaks_streams(request: web.Request, _: Proxy) -> web.StreamResponse | None:
            if request.path == "/v1/probe-stream" and request.transport:
                request.transport.close()
                return web.Response()
            return await between.pass_on(request, without=("Prefer",)) if "Prefer" in request.headers else None

        between.rule = breaks_streams
        found = await told(reached_at(world, between.url))
    assert any("a proxy removes or changes Prefer" in one for one in found), found
    assert any("it answers, but not the doctor" in one for one in found), found


def changing(change: Callable[[bytes, Any], bytes], *, pieces: int = 1) -> Rule:
    """Return a rule that *change*s body and headers of the probe's answers, and sends the body in *pieces*."""

    async def rule(request: web.Request, between: Proxy) -> web.StreamResponse | None:
        if not request.path.startswith("/v1/probe/"):
            return None
        url = URL(between.target + request.raw_path, encoded=True)
        async with between.http.get(url, headers=request.headers) as theirs:
            headers = theirs.headers.copy()
            body = change(await theirs.read(), headers)
        headers.popall("Content-Length", None)
        response = web.StreamResponse(status=theirs.status, headers=headers)
        await response.prepare(request)
        for start in range(0, len(body), step := -(-len(body) // pieces)):
            await response.write(body[start : start + step])
            await asyncio.sleep(0.05 * (pieces > 1))
        return response

    return rule


def same(body: bytes, _: Any) -> bytes:
    return body


def with_its_own_cookie(body: bytes, headers: Any) -> bytes:
    ours = headers.popall("Set-Cookie")
    headers.add("Set-Cookie", "balancer=one; Path=/")
    headers.extend([("Set-Cookie", one) for one in ours])
    return body


@pytest.mark.parametrize(
    "rule",
    [changing(same, pieces=3), changing(with_its_own_cookie)],
    ids=["in pieces", "with a cookie of its own"],
)
async def test_what_a_proxy_may_do_is_good(world: World, rule: Rule) -> None:
    async with proxy(world.url) as between:
        between.rule = rule
        found = await told(reached_at(world, between.url))
    assert [one for one in found if not one.startswith(("good", "note"))] == []


async def test_an_answer_cannot_write_to_the_terminal(world: World) -> None:
    def with_an_escape(body: bytes, _: Any) -> bytes:
        return json.dumps(json.loads(body) | {"version": "1\x1b[2J\ngood     all"}).encode()

    async with proxy(world.url) as between:
        between.rule = changing(with_an_escape)
        found = await told(reached_at(world, between.url))
    [one] = [one for one in found if "runs, and this is" in one]
    assert "\x1b" not in one
    assert "\ngood" not in one


async def test_an_answer_without_end_is_not_read_to_its_end(world: World) -> None:
    sent = 0

    async def endless(request: web.Request, _: Proxy) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while sent < 64 * 1024 * 1024:
            await response.write(bytes(64 * 1024))
            sent += 64 * 1024
        return response

    async with proxy(world.url) as between:
        between.rule = endless
        found = await told(reached_at(world, between.url))
    assert found[0].startswith("failed   server.public_url: no scanbind answers at"), found
    assert sent < 32 * 1024 * 1024


async def wants_a_password(_: web.Request, __: Proxy) -> web.Response:
    return web.Response(status=401)


async def is_another_program(_: web.Request, __: Proxy) -> web.Response:
    return web.json_response([])


async def is_no_http(request: web.Request, _: Proxy) -> web.Response:
    assert request.transport
    request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("scheme", "rule", "why"),
    [
        ("http", wants_a_password, "the status is 401"),
        ("http", is_another_program, "the answer is that of another program"),
        ("http", is_no_http, "the answer is not HTTP/1.1"),
        ("https", None, "TLS fails: "),
    ],
    ids=["password", "another program", "no HTTP", "no TLS"],
)
async def test_why_no_scanbind_answers_is_told(world: World, scheme: str, rule: Rule | None, why: str) -> None:
    async with proxy(world.url) as between:
        between.rule, url = rule, between.url.replace("http", scheme)
        found = await told(reached_at(world, url))
    assert found[0].startswith(f"failed   server.public_url: no scanbind answers at {url}: {why}"), found


async def test_a_balancer_in_front_of_another_service_is_found(world: World) -> None:
    """Red when a process with another key or version, which gets each second request, counts as a %2F fault."""
    count = 0

    async def in_turn(request: web.Request, _: Proxy) -> web.Response | None:
        nonlocal count
        count += request.path.startswith("/v1/probe")
        return web.Response(status=404) if request.path.startswith("/v1/probe") and count % 2 == 0 else None

    async with proxy(world.url) as between:
        between.rule = in_turn
        found = await told(reached_at(world, between.url))
    assert [one for one in found if "changes %2F" in one or "holds streams back" in one] == []
    assert any("another scanbind answers" in one for one in found), found
