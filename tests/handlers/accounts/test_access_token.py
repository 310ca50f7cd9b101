"""A site's back end gets the access token of an account, and reports one that WeChat refused (contract.md 9).

Covers: handlers.accounts.routes, handlers.accounts.schemas.

Red when a client without the grant, a page or a caller without a password gets a token, when two processes give
different ones, and when a report of a revoked token does not replace it at once.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness import ACCOUNT, ORIGIN, SECOND, WEBSITE, World, basic, client, problem
from redis.asyncio import Redis

TOKEN = "/v1/accounts/main/access-token"
INVALID = f"{TOKEN}/invalid"
BOTH = pytest.mark.parametrize(("method", "path"), [("GET", TOKEN), ("POST", INVALID)], ids=["read", "report"])


@pytest.fixture
async def world(make: Callable[..., Any]) -> World:
    """The shop has main's token; `bare` may not be called, so no site can have its token."""
    started: World = await make(
        official={"main": ACCOUNT, "bare": SECOND},
        accounts={"bare": {"api": False, "oauth": "none"}},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", access_token=["main"]), "club": client("club")},
    )
    return started


async def given(world: World) -> dict[str, Any]:
    answer = await world.site("GET", TOKEN)
    assert answer.status == 200, await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(await answer.json())


def fetches(world: World) -> int:
    """Return how often WeChat was asked for main's token."""
    return world.sandbox.state(ACCOUNT.appid).tokens._stable_calls[1].used


async def accepted(world: World, token: str) -> bool:
    """Ask WeChat whether it accepts a token."""
    async with world.http.get(f"{world.wechat}/cgi-bin/getcallbackip", params={"access_token": token}) as answer:
        return "ip_list" in await answer.json(content_type=None)


async def revoke(world: World) -> str:
    """Have another program of the account force a refresh, which revokes the token; return the new one."""
    body = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
    address = f"{world.wechat}/cgi-bin/stable_token"
    async with world.http.post(address, json={**body, "force_refresh": True}) as answer:
        return str((await answer.json(content_type=None))["access_token"])


async def report(world: World, token: str) -> None:
    answer = await world.site("POST", INVALID, {"access_token": token})
    assert (answer.status, await answer.read()) == (204, b"")


async def test_wechat_accepts_the_token_for_as_long_as_is_said(world: World) -> None:
    token = await given(world)
    assert token.keys() == {"access_token", "expires_in"}
    assert await accepted(world, token["access_token"])
    world.clock.advance(token["expires_in"])
    assert await accepted(world, token["access_token"])


async def test_two_processes_and_the_service_itself_share_one_token(world: World, other: World) -> None:
    await world.login()  # has a QR code created
    tokens = await asyncio.gather(*(given(one) for one in (world, other) for _ in range(25)))
    assert {token["access_token"] for token in tokens} == set(world.sandbox.state(ACCOUNT.appid).tokens._issued)
    assert fetches(world) == 1


async def test_fifty_who_ask_at_once_have_it_fetched_once(world: World, other: World) -> None:
    tokens = await asyncio.gather(*(given(one) for one in (world, other) for _ in range(25)))
    assert len({token["access_token"] for token in tokens}) == fetches(world) == 1


async def test_a_revoked_token_is_replaced_by_one_report(world: World, other: World) -> None:
    failed = (await given(world))["access_token"]
    new = await revoke(world)
    assert not await accepted(world, failed)
    assert (await given(world))["access_token"] == failed
    asked = fetches(world)
    await asyncio.gather(*(report(one, failed) for one in (world, other) for _ in range(25)))
    assert fetches(world) == asked + 1
    for one in (world, other):
        assert (await given(one))["access_token"] == new
    await report(other, failed)
    assert fetches(world) == asked + 1


async def test_reports_in_a_loop_do_not_use_up_wechats_quota(world: World, other: World) -> None:
    """Red when a token that WeChat still accepts is asked for at each report."""
    token = (await given(world))["access_token"]
    for _ in range(10):
        for one in (world, other):
            await report(one, token)
            await report(one, "another")
    assert fetches(world) == 2
    assert (await given(other))["access_token"] == token


@BOTH
async def test_a_client_without_the_grant_gets_nothing(world: World, method: str, path: str) -> None:
    body = {"access_token": "x"} if method == "POST" else None
    await problem(await world.site(method, path, body, client="club"), 403, "forbidden")
    for name in ("bare", "site"):
        answer = await world.site(method, path.replace("main", name), body)
        await problem(answer, 403, "forbidden")
    assert fetches(world) == 0


@BOTH
@pytest.mark.parametrize("name", ["none", "MAIN", "main%00", "%E4%B8%AD", "x" * 300])
async def test_an_unknown_account_is_not_found(world: World, method: str, path: str, name: str) -> None:
    body = {"access_token": "x"} if method == "POST" else None
    await problem(await world.site(method, path.replace("main", name), body), 404, "not-found")


@BOTH
@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": ORIGIN}, basic("shop", "wrong"), {"Authorization": "Bearer x"}],
    ids=["nothing", "a page", "a wrong password", "a bearer token"],
)
async def test_only_a_password_is_accepted(world: World, method: str, path: str, headers: dict[str, str]) -> None:
    answer = await world.call(method, path, headers=headers, json={"access_token": "x"})
    await problem(answer, 401, "unauthorized")
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_no_page_can_read_the_answer(world: World) -> None:
    answer = await world.call("GET", TOKEN, headers={**basic(), "Origin": ORIGIN})
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    await problem(await world.call("OPTIONS", TOKEN, headers=preflight), 405, "method-not-allowed")


async def test_head_gives_no_token(world: World) -> None:
    assert (await world.call("HEAD", TOKEN, headers=basic())).status == 405
    assert fetches(world) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": ["x"]},
        {"access_token": "x" * 2049},
        {"access_token": "x", "more": 1},
        {"access_token": "\ud83d"},
        ["x"],
    ],
    ids=str,
)
async def test_a_report_is_one_text_of_limited_length(world: World, body: Any) -> None:
    await problem(await world.site("POST", INVALID, body), 400, "invalid-request")


async def test_a_report_has_at_most_2048_characters(world: World) -> None:
    await report(world, "x" * 2048)


@BOTH
async def test_while_wechat_refuses_there_is_no_token(world: World, method: str, path: str) -> None:
    token = (await given(world))["access_token"] if method == "POST" else ""
    quota = world.sandbox.state(ACCOUNT.appid).tokens._stable_calls[1]
    quota.use(now=world.clock.seconds())
    quota.used = quota.limit
    body = {"access_token": token} if method == "POST" else None
    await problem(await world.site(method, path, body), 502, "wechat-unavailable")


@BOTH
async def test_without_redis_there_is_no_token(
    world: World, redis: Redis, redis_url: str, method: str, path: str
) -> None:
    await given(world)
    await redis.execute_command("CLIENT", "PAUSE", 8000)
    try:
        answer = await world.site(method, path, {"access_token": "x"} if method == "POST" else None)
    finally:
        async with Redis.from_url(redis_url, socket_timeout=60) as patient:
            await patient.execute_command("CLIENT", "UNPAUSE")  # is answered once the pause has ended
    await problem(answer, 503, "store-unavailable")
