"""A proxy between browsers and a service that counts requests and can fail as real proxies do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, DummyCookieJar, web
from harness import free_port
from multidict import CIMultiDict

Rule = Callable[[web.Request, "Proxy"], Awaitable[web.StreamResponse | None]]
"""Answers a request in the service's place, or returns None to let it pass."""
_BETWEEN_NEIGHBOURS: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Host")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came by."""

    method: str
    path: str
    held: bool
    """It asks to be kept waiting."""


@dataclass
class Proxy:
    """Passes everything on to `target`, unless its rule answers."""

    url: str
    target: str
    http: ClientSession
    rule: Rule | None = None
    deaf: bool = False
    """What the service says is lost on its way, though connections stay."""
    asked: list[Asked] = field(default_factory=list)
    holding: list[web.Request] = field(default_factory=list)
    """The streams and held polls that browsers have open now."""

    def following(self) -> list[Asked]:
        """Return what was asked of tickets, in whichever way of waiting."""
        return [one for one in self.asked if one.method == "GET" and one.path.startswith("/v1/tickets/")]

    def cut(self) -> None:
        """Break every connection that a browser holds."""
        for request in self.holding:
            if request.transport:
                request.transport.abort()

    async def take(self, request: web.Request) -> web.StreamResponse:
        held = _wants_stream(request) or "Prefer" in request.headers
        self.asked.append(Asked(request.method, request.path_qs, held))
        if held:
            self.holding.append(request)
        try:
            answer = await self.rule(request, self) if self.rule else None
            return answer or await self.pass_on(request)
        finally:
            if held:
                self.holding.remove(request)

    async def pass_on(self, request: web.Request, *, without: tuple[str, ...] = ()) -> web.StreamResponse:
        """Let the service answer, piece by piece as it does, not telling it the headers *without*."""
        sent, body = _between(request.headers, *without), await request.read()
        address = self.target + request.path_qs
        try:
            async with self.http.request(
                request.method, address, headers=sent, data=body, allow_redirects=False
            ) as theirs:
                response = web.StreamResponse(status=theirs.status, headers=_between(theirs.headers))
                await response.prepare(request)
                async for piece in theirs.content.iter_any():
                    if not self.deaf:
                        await response.write(piece)
                return response
        except ClientConnectionError:
            return web.Response(status=502)  # which no page of another origin may read


def _between(headers: Mapping[str, str], *without: str) -> "CIMultiDict[str]":
    """Return the headers that one side means for the other, and not for the proxy."""
    passed = CIMultiDict(headers)
    for name in (*_BETWEEN_NEIGHBOURS, *without):
        passed.popall(name, None)
    return passed


def _wants_stream(request: web.Request) -> bool:
    return request.method == "GET" and request.path.endswith("/events")


async def silent(request: web.Request, _: Proxy) -> None:
    """Let streams open, and say nothing on them: they wait in a buffer for more."""
    if _wants_stream(request):
        await asyncio.Event().wait()


async def no_codes(request: web.Request, _: Proxy) -> None:
    """Never answer requests for a code."""
    if request.method == "POST":
        await asyncio.Event().wait()


async def too_many(request: web.Request, _: Proxy) -> web.Response | None:
    """Refuse requests for a code, with `Retry-After` of a minute."""
    if request.method != "POST":
        return None
    headers = {
        "Access-Control-Allow-Origin": request.headers["Origin"],
        "Access-Control-Expose-Headers": "Retry-After",
        "Retry-After": "60",
    }
    return web.Response(status=429, headers=headers)


async def no_streams(request: web.Request, _: Proxy) -> web.Response | None:
    """Refuse streams."""
    return web.Response(status=403, text="blocked") if _wants_stream(request) else None


async def nothing_held(request: web.Request, proxy: Proxy) -> web.StreamResponse | None:
    """Refuse streams, and do not pass on a wish to be held."""
    return await no_streams(request, proxy) or await proxy.pass_on(request, without=("Prefer",))


async def cuts_off(request: web.Request, proxy: Proxy) -> web.Response | None:
    """Refuse event streams, and close the connection of long polls."""
    if "Prefer" in request.headers and request.transport:
        request.transport.close()
        return web.Response()
    return await no_streams(request, proxy)


async def followers_fail(request: web.Request, _: Proxy) -> web.Response | None:
    """Answer requests for a status as a proxy does whose service is down."""
    return web.Response(status=502) if request.method == "GET" and request.path.startswith("/v1/tickets") else None


@asynccontextmanager
async def proxy(target: str = "", *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before *target*, which may be set later; by HTTPS if *tls* is given."""
    with free_port() as sock:
        timeout = ClientTimeout(total=None)
        async with ClientSession(auto_decompress=False, timeout=timeout, cookie_jar=DummyCookieJar()) as http:
            one = Proxy(f"http{'s' if tls else ''}://127.0.0.1:{sock.getsockname()[1]}", target, http)
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", one.take)
            # A browser that leaves must be noticed at once, or what it held would be counted on.
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
            await runner.setup()
            await web.SockSite(runner, sock, ssl_context=tls).start()
            yield one
            for connection in runner.server.connections if runner.server else ():
                if connection.transport:
                    connection.transport.abort()  # TLS would wait for the browser to say goodbye
            await runner.cleanup()
