"""Every response has a request id, and every error is a problem without internal details."""

import asyncio
import logging
import re
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import make_mocked_request
from harness import World, basic, problem
from yarl import URL

from handlers.http.middleware import account
from handlers.http.operation import LONGEST_LINE
from service.bindings.repository import Bindings
from service.observability.metrics import Metrics


async def test_every_answer_carries_an_id_of_its_own(world: World) -> None:
    page = await world.login()
    asked: list[ClientResponse] = [
        await world.call("GET", "/livez"),
        await world.call("GET", "/metrics"),
        await world.call("GET", page.made["qr_svg"]),
        await world.call("OPTIONS", "/v1/tickets"),
        await world.call("GET", "/nowhere"),
        await world.call("PUT", "/livez"),
        await world.call("POST", "/wechat/main"),
        await page.raw("DELETE"),
        await page.raw(suffix="/events"),
    ]
    ids = [one.headers["X-Request-Id"] for one in asked]
    assert len(set(ids)) == len(asked)
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in ids)
    assert {one.headers["X-Content-Type-Options"] for one in asked} == {"nosniff"}
    assert {one.headers["Server"] for one in asked} == {"scanbind"}


async def test_a_given_id_is_kept_only_when_it_is_harmless(world: World) -> None:
    for given in ("a1b2c3d4", "A-b_9" * 4, "x" * 64):
        response = await world.call("GET", "/nowhere", headers={"X-Request-Id": given})
        assert (await problem(response, 404, "not-found"))["instance"] == given
    harmful = ["", "short", "x" * 65, "a b c d e f", "<script>alert(1)", "a1b2c3d4,e5f6", "é" * 10, '{"a":"b"}']
    for given in harmful:
        response = await world.call("GET", "/nowhere", headers={"X-Request-Id": given})
        assert (await problem(response, 404, "not-found"))["instance"] != given


async def test_what_is_not_there_is_a_problem(world: World) -> None:
    paths = [
        "/problems",
        "/v1",
        "/v1/",
        "/v1/tickets/",
        "/v1/tickets/a/b",
        "/v2/tickets",
        "/v1/bindings/",
        "/V1/tickets",
    ]
    paths += ["/livez/", "//livez", "/%2e%2e/etc/passwd", "/v1/bindings/a/b", "/wechat", "/wechat/"]
    for path in paths:
        response = await world.http.get(URL(world.url + path, encoded=True), headers=basic())
        await problem(response, 404, "not-found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(world: World) -> None:
    wrong = {
        ("GET", "/v1/tickets"): "OPTIONS, POST",
        ("POST", "/v1/tickets/x"): "DELETE, GET, OPTIONS",
        ("DELETE", "/v1/tickets/x/events"): "GET, OPTIONS",
        ("GET", "/v1/exchange"): "POST",
        ("PUT", "/v1/bindings/x"): "DELETE, GET, HEAD",
        ("DELETE", "/wechat/main"): "GET, POST",
        ("POST", "/readyz"): "GET, HEAD",
    }
    for (method, path), allowed in wrong.items():
        response = await world.call(method, path)
        await problem(response, 405, "method-not-allowed")
        assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("where", ["path", "query", "header"])
async def test_a_line_or_header_has_a_longest_length(world: World, where: str) -> None:
    """Red when the server is made with a larger `max_line_size` or `max_field_size`."""
    long, headers = "x" * (LONGEST_LINE + 1), {}
    path = {"path": f"/v1/tickets/{long}", "query": f"/livez?{long}"}.get(where, "/livez")
    if where == "header":
        headers = {"If-None-Match": long}
    await problem(await world.call("GET", path, headers=headers), 400, "invalid-request")


async def test_what_callers_invent_makes_no_figure_of_its_own(world: World) -> None:
    """Red when `frame` counts every method at an unknown address, or `request.path` instead of the pattern."""

    async def series() -> set[str]:
        text = await (await world.call("GET", "/metrics")).text()
        return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

    async def invent(name: str) -> None:
        for method in ("GET", "PROPFIND", "MKCOL", "SEARCH", "PUT"):
            for path in (
                f"/{name}",
                f"/v1/tickets/{name}",
                f"/wechat/{name}",
                f"/v1/bindings/{name}?account={name}",
            ):
                await world.call(method, path, headers=basic(secret=name))
        body = {"purpose": "login", "client_id": name, "account": name}
        await world.call("POST", "/v1/tickets", json=body, headers={"Origin": f"https://{name}.example"})
        await world.site("POST", "/v1/tickets", {**body, "client_id": "shop"})

    await invent("one")
    await series()  # or this very request would make figures
    before = await series()
    for name in ("two", "three", "four"):
        await invent(name)
    assert await series() - before == set()


async def test_an_error_is_answered_to_head_without_a_body(world: World) -> None:
    response = await world.call("HEAD", "/nowhere")
    assert (response.status, await response.read()) == (404, b"")
    assert response.headers["X-Request-Id"]


async def test_what_goes_wrong_inside_stays_inside(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("select * from bindings where openid = 'o-123' -- hunter2")

    monkeypatch.setattr(Bindings, "of_user", fail)
    response = await world.site("GET", "/v1/bindings/42")
    told = await problem(response, 500, "internal")
    text = await response.text()
    assert not re.search("hunter2|select|RuntimeError|Traceback|o-123", text)
    assert set(told) == {"type", "title", "status", "detail", "instance"}
    assert any("request failed: unexpected" in record.message for record in caplog.records)


async def test_a_connection_lost_inside_is_a_problem_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when the server's connections are aiohttp's own: the frame lets it pass, for the caller may be gone."""

    async def fail(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("hunter2")

    monkeypatch.setattr(Bindings, "of_user", fail)
    response = await world.site("GET", "/v1/bindings/42")
    await problem(response, 500, "internal")
    assert "hunter2" not in await response.text()


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/v1/tickets"])
@pytest.mark.parametrize("expected", ["hunter2", "100-continue, hunter2", "\udcff"])
async def test_an_unknown_expectation_is_a_problem_and_not_a_500(
    world: World, caplog: pytest.LogCaptureFixture, path: str, expected: str
) -> None:
    """Red without `only_continue`: aiohttp quotes the header, and answers 500 where it is no text."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nExpect: {expected}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(world.url).port)
    writer.write(head.encode("utf-8", "surrogateescape"))
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/invalid-request" in answer
    assert b"X-Request-Id: " in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    assert b"hunter2" not in answer
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_who_expects_to_go_on_goes_on(world: World) -> None:
    response = await world.call("POST", "/v1/exchange", data=b"{}", headers=basic(), expect100=True)
    await problem(response, 415, "unsupported-media-type")


async def test_the_access_log_is_written_after_the_response(caplog: pytest.LogCaptureFixture) -> None:
    """Red when `account` writes it at once."""
    request = make_mocked_request("POST", "/v1/tickets")
    with caplog.at_level(logging.INFO, "scanbind.access"):
        account(request, 201, "/v1/tickets", 0.002, metrics=Metrics())
        assert caplog.records == []
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == ["POST /v1/tickets 201"]
