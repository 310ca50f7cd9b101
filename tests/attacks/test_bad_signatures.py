"""Unsigned pushes cost little, and their sender is soon refused; WeChat never is."""

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from harness import ACCOUNT, World, problem
from moments import NOON
from posting import Push, prepared, snapshot

from sandbox.crypto import sign
from service import app_keys

MALLORY = {"X-Forwarded-For": "203.0.113.66"}
ANNA = {"X-Forwarded-For": "203.0.113.7"}
PROXIED = {"server": {"trusted_proxies": ["127.0.0.0/8"]}}
MODES = pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])


async def limited(make: Any, *, to: int = 3, mode: str = "safe") -> World:
    account = {"mode": mode, "allow_unsigned_body": mode == "plain"}
    world: World = await make(limits={"bad_signatures_per_address": to}, accounts={"main": account}, **PROXIED)
    return world


def unsigned(push: Push, **changes: str) -> dict[str, str]:
    """Return the query of a push that signs nothing."""
    return {**push.request().query, "signature": "0" * 40, "msg_signature": "0" * 40, **changes}


async def exceed(world: World, push: Push, *, limit: int = 3) -> None:
    """Send as many pushes with a wrong signature as an address may."""
    for _ in range(limit):
        response = await push.send(push.request(), query=unsigned(push), headers=MALLORY)
        await problem(response, 403, "bad-signature")


@MODES
async def test_an_address_that_forges_is_heard_when_its_query_is_signed(
    make: Any, minute: SimpleNamespace, mode: str
) -> None:
    """Red when `receive` does not call `_refuse_forgers`, or it asks those whose query is signed as well."""
    world = await limited(make, mode=mode)
    push, page = await prepared(world)
    await exceed(world, push)
    request = push.request(mode=mode)
    before = await snapshot(world)
    for query in (unsigned(push), {}, {**request.query, "signature": ""}, {**request.query, "nonce": "1"}):
        refused = await push.send(request, query=query, headers=MALLORY)
        await problem(refused, 429, "rate-limited")
        assert refused.headers["Retry-After"] == "40"
    assert await snapshot(world) == before
    await problem(await push.send(request, query=unsigned(push), headers=ANNA), 403, "bad-signature")
    assert (await push.send(request, headers=MALLORY)).status == 200, "WeChat, by the same proxy"
    assert (await page.poll())["status"] == "confirmed"
    metrics = await (await world.call("GET", "/metrics")).text()
    assert 'scanbind_limited_total{limit="bad_signatures_per_address"} 4.0' in metrics
    minute.now = NOON + 60
    await problem(await push.send(request, query=unsigned(push), headers=MALLORY), 403, "bad-signature")


async def test_a_signed_query_does_not_stand_for_a_signed_body(make: Any) -> None:
    """Red when `receive` trusts `has_signed_query`, and when `brute_force.counted` counts no BadSignature."""
    world = await limited(make)
    push, page = await prepared(world)
    seen = {**push.request().query, "msg_signature": "0" * 40}
    for _ in range(3):
        await problem(await push.send(push.request(), query=seen, headers=MALLORY), 403, "bad-signature")
    await problem(await push.send(push.request(), query=seen, headers=MALLORY), 429, "rate-limited")
    assert (await page.poll())["status"] == "pending"


async def test_an_old_query_opens_nothing_to_an_address_that_forges(make: Any) -> None:
    """Red when `has_signed_query` looks at no clock: one query seen in a log would do for ever."""
    world = await limited(make)
    push, _ = await prepared(world)
    old = push.request()
    world.clock.advance(301)
    await exceed(world, push)
    await problem(await push.send(old, headers=MALLORY), 429, "rate-limited")


async def test_what_an_address_that_forges_sends_is_not_read(make: Any) -> None:
    """Red when `receive` reads before it calls `_refuse_forgers`: it would wait for the body, and answer 503."""
    world = await limited(make)
    push, _ = await prepared(world)
    await exceed(world, push)
    lines = (f"POST /wechat/main?{urlencode(unsigned(push))} HTTP/1.1", "Host: x", "Content-Length: 100")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
    writer.write("\r\n".join([*lines, f"X-Forwarded-For: {MALLORY['X-Forwarded-For']}", "", ""]).encode())
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 429 ")
    writer.close()


async def test_a_verification_that_is_not_signed_counts_and_a_signed_one_is_echoed(make: Any) -> None:
    """Red when `brute_force.counted` does not ask whether the limit is reached before it counts."""
    world = await limited(make)
    query = {"timestamp": "1", "nonce": "2", "echostr": "hello"}
    wrong, right = {**query, "signature": "0" * 40}, {**query, "signature": sign(ACCOUNT.token, "1", "2")}

    async def verify(query: dict[str, str]) -> int:
        return (await world.call("GET", "/wechat/main", params=query, headers=MALLORY)).status

    assert [await verify(wrong) for _ in range(4)] == [403, 403, 403, 429]
    assert await verify(right) == 200


async def test_this_machine_is_never_refused(make: Any) -> None:
    """Red when `throttle_address` counts loopback: a proxy there that names no address would shut out all."""
    world = await limited(make, to=1)
    push, _ = await prepared(world)
    for _ in range(4):
        await problem(await push.send(push.request(), query=unsigned(push)), 403, "bad-signature")


async def test_a_wrong_signature_is_no_wrong_password(make: Any) -> None:
    """Red when one list of suspects stands for both limits."""
    world = await limited(make, to=1)
    push, _ = await prepared(world)
    await exceed(world, push, limit=1)
    assert world.app[app_keys.RATE_LIMITS]._suspects
    response = await world.call("GET", "/v1/bindings/42", headers={"Authorization": "Basic eDp5", **MALLORY})
    await problem(response, 401, "unauthorized")


@pytest.mark.parametrize("mode", ["safe", "compatible"])
async def test_nothing_of_a_body_is_read_before_it_is_signed(make: Any, mode: str) -> None:
    """Red when `_open_sealed` reads the document first: what cannot be read would be 400, signed or not."""
    world = await limited(make, to=0, mode=mode)
    push, _ = await prepared(world)
    whole = push.request()
    for body in (
        whole.body[:-1],
        whole.body.replace(b"</xml>", b"<a>" * 10_000 + b"</xml>"),
        b"<!DOCTYPE xml>" + whole.body,
        b"<xml>" * 10_000,
        b'{"a":' * 10_000,
        b"",
        b"\xff",
    ):
        response = await push.send(whole, body=body)
        assert response.status == (200 if b"</Encrypt>" in body else 400)  # what WeChat signed is acknowledged
        await problem(await push.send(whole, body=body, query=unsigned(push)), 403, "bad-signature")
