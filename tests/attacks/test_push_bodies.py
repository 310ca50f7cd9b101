"""Bodies of pushes: uncompressed and at most 64 KiB. Sent over sockets, without an HTTP library."""

import asyncio
import gzip
from urllib.parse import urlencode

import pytest
from harness import World, basic
from posting import prepared, snapshot

from sandbox.envelope import Request

MOST = 64 * 1024
CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


async def answered(world: World, *head: str, body: bytes = b"") -> tuple[int, str]:
    """Send a request as it is; return its status and what it is told, as soon as they are there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
    try:
        async with asyncio.timeout(20):
            writer.write("\r\n".join([*head, "Host: x", "", ""]).encode() + body)
            status = int((await reader.readuntil(b"\r\n")).split()[1])
            headers = await reader.readuntil(b"\r\n\r\n")
            length = int(headers.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return status, (await reader.readexactly(length)).decode()
    finally:
        writer.close()


def to_the_door(request: Request) -> str:
    return f"POST /wechat/main?{urlencode(request.query)} HTTP/1.1"


def chunks(body: bytes, *, size: int = 1000) -> bytes:
    """Return *body* in chunks, without the empty one that ends it."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.mark.parametrize("end", [b"", END])
async def test_a_push_in_chunks_is_cut_off_at_64_kib(world: World, end: bytes) -> None:
    """Red when the application is made without `client_max_size`."""
    push, page = await prepared(world)
    request = push.request()
    before = await snapshot(world)
    body = chunks(request.body.ljust(MOST + 1)) + end
    status, said = await answered(world, to_the_door(request), CHUNKED, body=body)
    assert (status, "payload-too-large" in said) == (413, True)
    assert await snapshot(world) == before
    whole = chunks(request.body.ljust(MOST)) + END
    assert (await answered(world, to_the_door(request), CHUNKED, body=whole))[0] == 200
    assert (await page.poll())["status"] == "confirmed"


async def test_what_is_too_long_is_not_even_looked_at(world: World) -> None:
    """Red when the body is opened before all of it is counted: what it holds would be 400."""
    push, _ = await prepared(world)
    request = push.request()
    body = chunks(b"<!DOCTYPE xml>".ljust(MOST + 1)) + END
    assert (await answered(world, to_the_door(request), CHUNKED, body=body))[0] == 413


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x"])
async def test_a_compressed_push_is_refused_before_its_body_is_there(world: World, coding: str) -> None:
    """Red when `receive` does not refuse compressed requests: it would wait for the body."""
    push, _ = await prepared(world)
    before = await snapshot(world)
    head = (to_the_door(push.request()), f"Content-Encoding: {coding}", "Content-Length: 100")
    status, said = await answered(world, *head)
    assert (status, "unsupported-media-type" in said) == (415, True)
    assert await snapshot(world) == before


async def test_two_codings_are_both_looked_at(world: World) -> None:
    """Red when only the first Content-Encoding is asked for."""
    push, _ = await prepared(world)
    twice = ("Content-Encoding: identity", "Content-Encoding: gzip", "Content-Length: 100")
    assert (await answered(world, to_the_door(push.request()), *twice))[0] == 415


async def test_identity_is_no_compression(world: World) -> None:
    """Red when `identity` counts as a compression."""
    push, page = await prepared(world)
    request = push.request()
    head = (to_the_door(request), "Content-Encoding: identity", f"Content-Length: {len(request.body)}")
    assert (await answered(world, *head, body=request.body))[0] == 200
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_api_request_is_refused_before_its_body_is_there(world: World, coding: str) -> None:
    """Red when `request_body.read` does not refuse compressed requests."""
    head = ("Content-Type: application/json", f"Content-Encoding: {coding}", "Content-Length: 100")
    site = f"Authorization: {basic()['Authorization']}"
    for path in ("/v1/tickets", "/v1/exchange", "/v1/bindings", "/v1/portal-sessions"):
        status, said = await answered(world, f"POST {path} HTTP/1.1", site, *head)
        assert (status, "unsupported-media-type" in said) == (415, True), path


async def test_a_compressed_transfer_is_not_unpacked(world: World) -> None:
    """Red when the runner is made with `auto_decompress`, if ever the parser takes such a transfer."""
    push, page = await prepared(world)
    request = push.request()
    before = await snapshot(world)
    body = chunks(gzip.compress(request.body)) + END
    status, _ = await answered(world, to_the_door(request), "Transfer-Encoding: gzip, chunked", body=body)
    assert 400 <= status < 500
    assert await snapshot(world) == before
    assert (await page.poll())["status"] == "pending"
