"""What a target answers is read within bounds, and nothing of the environment or of earlier answers is sent.

Red when redirects are followed, cookies kept, a proxy used, compression accepted, or an answer read without end.
"""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from serving import listening

from service.wechat.forwarded_push import ForwardedPush
from service.wechat.push_targets import LONGEST, PushTargets, TargetFailed, open_push_targets

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
async def client() -> AsyncIterator[PushTargets]:
    async with open_push_targets() as opened:
        yield opened


async def posted(client: PushTargets, handler: Handler) -> bytes:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    async with listening(app) as url:
        return await client.post(ForwardedPush(f"{url}/wechat?a=1", {"nonce": "x&y"}, b"<xml/>", "text/xml"))


async def test_a_push_has_its_query_after_that_of_the_address(
    client: PushTargets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        assert await request.read() == b"<xml/>"
        return web.Response(body=b"x" * LONGEST, headers={"Set-Cookie": "a=b"})

    for _ in range(2):
        assert len(await posted(client, handler)) == LONGEST
    for request in seen:
        assert dict(request.query) == {"a": "1", "nonce": "x&y"}
        assert (request.headers["Content-Type"], request.headers["Accept-Encoding"]) == ("text/xml", "identity")
        assert "Cookie" not in request.headers


async def _redirect(request: web.Request) -> web.Response:
    if request.path == "/elsewhere":
        return web.Response(text="success")
    raise web.HTTPTemporaryRedirect("/elsewhere")


async def _huge(_request: web.Request) -> web.Response:
    return web.Response(body=b"x" * (LONGEST + 1))


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b"x" * 1000)
    return response


async def _compressed(_request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"success"), headers=GZIP)


async def _failing(_request: web.Request) -> web.Response:
    return web.Response(status=500, text="success")


async def _cut(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (_redirect, "HTTP 307"),
        (_huge, "more than"),
        (_endless, "more than"),
        (_compressed, "compressed"),
        (_failing, "HTTP 500"),
        (_cut, "ServerDisconnected"),
    ],
    ids=["redirect", "huge", "endless", "compressed", "failing", "cut"],
)
async def test_what_is_no_bounded_success_is_a_failure(client: PushTargets, handler: Handler, why: str) -> None:
    with pytest.raises(TargetFailed, match=why):
        await posted(client, handler)


async def test_an_address_where_nothing_listens_is_a_failure_that_does_not_name_it(client: PushTargets) -> None:
    with pytest.raises(TargetFailed) as failed:
        await client.post(ForwardedPush("http://127.0.0.1:9/secret", {}, b"", "text/xml"))
    assert "secret" not in str(failed.value)
