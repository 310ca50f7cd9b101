"""Metrics and readiness have a listener of their own once `server.internal` is set, and the public one has none.

Red when the public listener answers for them, when the internal one answers for anything else, or when it closes
before the last request is answered.

Covers: service.server.listening.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, web
from harness import World, problem
from harness import world as make_world
from yarl import URL

from service import app_keys
from service.config.settings import validate
from service.server.internal import internal_listener

MOVED = ("/readyz", "/metrics")


@pytest.fixture
async def apart(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(redis_url, tmp_path, server={"internal": "127.0.0.1:0"}) as world:
        yield world


@pytest.mark.parametrize("path", MOVED)
async def test_the_public_listener_has_nothing_there(apart: World, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        assert (await apart.call(method, path)).status == 404
    await problem(await apart.call("GET", path), 404, "not-found")
    assert path not in (await (await apart.call("GET", "/openapi.json")).json())["paths"]


async def test_the_internal_listener_answers_for_the_same_service(apart: World) -> None:
    await apart.login()
    ready = await apart.http.get(f"{apart.internal}/readyz")
    assert (ready.status, (await ready.json())["status"]) == (200, "ready")
    metrics = await apart.http.get(f"{apart.internal}/metrics")
    assert 'scanbind_tickets_total{client="shop",purpose="login",via="page"} 1.0' in await metrics.text()
    assert metrics.content_type == "text/plain"
    assert {one.headers["Cache-Control"] for one in (ready, metrics)} == {"no-store"}
    assert {one.headers["Server"] for one in (ready, metrics)} == {"scanbind"}


async def test_both_listeners_are_alive(apart: World) -> None:
    for url in (apart.url, apart.internal):
        async with apart.http.get(f"{url}/livez") as response:
            assert (response.status, await response.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    "path",
    ["/", "/openapi.json", "/v1/tickets", "/wechat/main", "/portal.js", "/readyz/", "//readyz", "/livez/.."],
)
async def test_the_internal_listener_has_nothing_else(apart: World, path: str) -> None:
    headers = {"Origin": "https://shop.example"}
    response = await apart.http.get(URL(f"{apart.internal}{path}", encoded=True), headers=headers)
    await problem(response, 404, "not-found")
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/livez", *MOVED])
async def test_only_reading_is_allowed_there(apart: World, path: str) -> None:
    head = await apart.http.head(f"{apart.internal}{path}")
    assert (head.status, await head.read()) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        refused = await apart.http.request(method, f"{apart.internal}{path}", data=b"")
        await problem(refused, 405, "method-not-allowed")
        assert refused.headers["Allow"] == "GET, HEAD"


async def test_an_invented_address_is_no_new_time_series(apart: World) -> None:
    for path in ("/one-1234", "/two-5678"):
        await apart.http.get(f"{apart.internal}{path}")
    text = await (await apart.http.get(f"{apart.internal}/metrics")).text()
    assert "1234" not in text
    assert 'scanbind_http_request_seconds_count{method="any",route="unknown",status="404"} 2.0' in text


async def test_malformed_http_is_answered_without_the_name_of_the_library(apart: World) -> None:
    host, _, port = apart.internal.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/9.9\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"application/problem+json" in answer
    assert b"aiohttp" not in answer.lower()


async def test_a_stopping_service_reports_it_until_its_last_request_is_answered(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the listener closes before the requests are finished, or outlives the stores."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Application) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response()

    monkeypatch.setattr("handlers.health.liveness", slow)
    async with ClientSession() as http:
        async with make_world(redis_url, tmp_path, server={"internal": "127.0.0.1:0"}) as world:
            address = world.internal
            asking = asyncio.create_task(http.get(f"{world.url}/livez"))
            await begun.wait()

            async def watch() -> tuple[int, str]:
                await world.app[app_keys.DRAINING].wait()
                async with http.get(f"{address}/readyz") as response:
                    told = response.status, (await response.json())["status"]
                go_on.set()
                return told

            watching = asyncio.create_task(watch())
        assert await watching == (503, "draining")
        assert (await asking).status == 200
        with pytest.raises(ClientError):
            await http.get(f"{address}/livez")


async def test_each_request_is_answered_by_the_application_that_serves_then(
    redis_url: str, tmp_path: Path
) -> None:
    """Red when the listener keeps the application of its start: after a reload it would report the old one."""
    async with (
        make_world(redis_url, tmp_path) as world,
        internal_listener(validate({"server": {"internal": "127.0.0.1:0"}}), lambda: serving[-1]) as port,
    ):
        serving = [world.app]
        async with world.http.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 200
        stopping = web.Application()
        stopping[app_keys.METRICS], stopping[app_keys.CHECKS] = world.app[app_keys.METRICS], {}
        stopping[app_keys.CURRENT], stopping[app_keys.DRAINING] = lambda: stopping, asyncio.Event()
        stopping[app_keys.DRAINING].set()
        serving.append(stopping)
        async with world.http.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert (response.status, (await response.json())["checks"]) == (503, {})


async def test_a_service_that_took_another_configuration_is_ready(apart: World) -> None:
    """Red when the runner names the application of the start, which drains after a reload."""
    await apart.reload(limits={"waiting": 9})
    async with apart.http.get(f"{apart.internal}/readyz") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ready")


@pytest.mark.parametrize(
    ("given", "host"), [("[::1]:0", "[::1]"), ("localhost:0", "localhost"), ("0.0.0.0:0", "127.0.0.1")]
)
async def test_it_listens_on_addresses_of_both_versions_and_on_names(world: World, given: str, host: str) -> None:
    async with (
        internal_listener(validate({"server": {"internal": given}}), lambda: world.app) as port,
        world.http.get(f"http://{host}:{port}/livez") as response,
    ):
        assert response.status == 200


async def test_without_the_setting_the_public_listener_answers_for_all(world: World) -> None:
    for path in ("/livez", *MOVED):
        assert (await world.call("GET", path)).status == 200
    assert set(MOVED) <= (await (await world.call("GET", "/openapi.json")).json())["paths"].keys()


async def test_an_address_of_another_machine_names_its_setting(world: World) -> None:
    settings = validate({"server": {"internal": "192.0.2.1:0"}})
    with pytest.raises(OSError, match=r"server\.internal: 192\.0\.2\.1 is no address of this machine"):
        async with internal_listener(settings, lambda: world.app):
            pass
