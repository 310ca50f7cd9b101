"""Liveness, readiness and metrics, without personal data."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientResponse
from harness import World, problem
from harness import world as make_world

from service import app_keys
from service.storage.embedded_valkey import valkey


async def until(world: World, path: str, status: int) -> ClientResponse:
    """Ask again until the answer has *status*; for ten seconds at most."""
    async with asyncio.timeout(10):
        while (response := await world.call("GET", path)).status != status:
            await asyncio.sleep(0.05)
        return response


async def test_a_service_with_all_it_needs_is_alive_and_ready(world: World) -> None:
    live = await world.call("GET", "/livez")
    assert (live.status, await live.json()) == (200, {"status": "alive"})
    ready = await world.call("GET", "/readyz")
    states = {"redis": "ok", "database": "ok", "background": "ok"}
    assert (ready.status, await ready.json()) == (200, {"status": "ready", "checks": states})
    assert {one.headers["Cache-Control"] for one in (live, ready)} == {"no-store"}


async def test_a_lost_redis_is_told_and_its_return_noticed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path))
        async with make_world(url, tmp_path) as world:
            await until(world, "/readyz", 200)
            await stack.aclose()
            response = await until(world, "/readyz", 503)
            told = await response.json()
            assert told["status"] == "not ready"
            assert told["checks"] == {"redis": "down", "database": "ok", "background": "ok"}
            assert (await world.call("GET", "/livez")).status == 200
            async with valkey(tmp_path) as again:
                assert again == url
                await until(world, "/readyz", 200)
                page = await world.bind("42")
                await world.scan(await world.person(), page)
                assert (await page.until("confirmed"))["outcome"] == "bound"


@pytest.mark.parametrize("name", ["redis", "database", "background"])
async def test_a_check_that_fails_or_hangs_is_down_and_says_no_more(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise OSError("password=hunter2")

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("handlers.health._PATIENCE", 0.5)
    checks = cast("dict[str, Any]", world.app[app_keys.CHECKS])
    for check in (fail, hang):
        monkeypatch.setitem(checks, name, check)
        response = await world.call("GET", "/readyz")
        told = await response.json()
        assert (response.status, told["status"], told["checks"][name]) == (503, "not ready", "down")
        assert list(told["checks"].values()).count("ok") == 2
        assert "hunter2" not in await response.text()


async def test_a_service_that_stops_is_alive_but_not_ready(world: World) -> None:
    world.app[app_keys.DRAINING].set()
    response = await world.call("GET", "/readyz")
    assert (response.status, (await response.json())["status"]) == (503, "draining")
    assert (await world.call("GET", "/livez")).status == 200


async def test_metrics_count_and_contain_no_personal_data(world: World) -> None:
    person = await world.bound("user-4711")
    page = await world.login(state="state-0815")
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    assert (await world.exchange(code)).status == 200
    await world.call("GET", "/v1/bindings/user-4711?account=secret-account")
    await world.call("GET", "/nowhere/path-1234")
    await problem(await world.call("POST", "/wechat/main?signature=sig-5678"), 403, "bad-signature")
    response = await world.call("GET", "/metrics")
    assert (response.status, response.content_type) == (200, "text/plain")
    text = await response.text()
    openid = world.sandbox.contact(person).openid
    hidden = [
        "user-4711", "state-0815", "secret-account", "path-1234", "sig-5678", openid, code, page.id,
        page.made["secret"], page.made["qr_svg"], world.sandbox.code(page.made["qr_url"]).scene,
    ]  # fmt: skip
    assert [one for one in hidden if one in text] == []
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert figures['scanbind_tickets_total{client="shop",purpose="login",via="page"}'] == "1.0"
    assert figures['scanbind_tickets_total{client="shop",purpose="bind",via="backend"}'] == "1.0"
    assert figures['scanbind_endings_total{client="shop",ending="bound",purpose="bind"}'] == "1.0"
    assert figures['scanbind_endings_total{client="shop",ending="login",purpose="login"}'] == "1.0"
    exchange = 'scanbind_http_request_seconds_count{method="POST",route="/v1/exchange",status="200"}'
    assert figures[exchange] == "1.0"
