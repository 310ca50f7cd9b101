"""Malformed and unfinished requests leave no secret in the log and are ended in time."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from harness import World, basic

from handlers.http import request_body
from handlers.wechat import callback
from service.observability import logs


@pytest.fixture(autouse=True)
def _undisturbed() -> Iterator[None]:
    """Give pytest its own handlers back, and every logger its level."""
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in logs.QUIET}
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    for name, kept in levels.items():
        logging.getLogger(name).setLevel(kept)


async def sent(world: World, request: bytes, *, gone: bool = False) -> bytes:
    """Send *request* as it is and return the beginning of the answer, if the caller is still there for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(20):
        answer = b"" if gone else await reader.read(20)
    writer.close()
    await writer.wait_closed()
    return answer


NO_HTTP = pytest.mark.parametrize(
    "request_",
    [
        b"GET /wechat/main?signature=hunter2\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nAuthori zation: Bearer hunter2\r\n\r\n",
        b"POST /wechat/main HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n",
        b"HUNTER2 /?hunter2 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)


@NO_HTTP
async def test_what_is_no_http_is_refused_like_everything_else(world: World, request_: bytes) -> None:
    """Red when the server's connections are aiohttp's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
    writer.write(request_)
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    told, headers = json.loads(body), head.decode().lower().splitlines()
    assert b" 400 " in head
    assert (told["type"], told["status"]) == ("/problems/invalid-request", 400)
    assert f"x-request-id: {told['instance']}" in headers
    assert "server: scanbind" in headers
    assert "hunter2" not in body.decode().lower()


@NO_HTTP
async def test_what_is_no_http_is_not_quoted_in_the_log(
    world: World, capsys: pytest.CaptureFixture[str], request_: bytes
) -> None:
    """Red when `setup` does not filter what aiohttp's server says."""
    logs.setup("DEBUG")
    assert b"400" in await sent(world, request_)
    log = capsys.readouterr().err
    assert "hunter2" not in log.lower()
    assert '"error"' not in log


async def test_a_caller_who_breaks_off_is_no_error(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Red when `frame` takes it for an error of ours."""
    logs.setup("DEBUG")
    head = f"POST /v1/exchange HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()['Authorization']}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\nabc".encode()
    await sent(world, request, gone=True)
    assert (await world.call("GET", "/livez")).status == 200  # answered after the other was given up
    assert '"error"' not in capsys.readouterr().err


async def test_a_push_that_never_ends_is_answered_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `receive` has no timeout."""
    monkeypatch.setattr(callback, "ANSWER_WITHIN", 0.1)
    assert b"503" in await sent(world, b"POST /wechat/main HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n<")


async def test_a_body_that_never_ends_is_refused_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when bodies are read without a timeout."""
    monkeypatch.setattr(request_body, "_ARRIVES_WITHIN", 0.1)
    head = b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert b"400" in await sent(world, head + b"Content-Length: 9\r\n\r\n{")
