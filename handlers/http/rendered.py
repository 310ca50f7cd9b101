"""Responses whose heads are rendered as bytes, for requests that are answered before the router."""

import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from typing_extensions import override

from handlers.http import cors
from handlers.http.middleware import COMMON, identify
from service.config.clients import Client

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""A server's handler for all requests."""


class _OnKeptConnection(web.StreamResponse):
    """A response for HTTP/1.1 on a connection that stays open."""

    @staticmethod
    def fits(request: web.BaseRequest) -> bool:
        """Tell whether *request* may be answered by one."""
        return request.version == HttpVersion11 and request.keep_alive

    @property
    @override
    def keep_alive(self) -> bool:
        return True


class Rendered(_OnKeptConnection):
    """A whole response, head and body.

    aiohttp's own responses are prepared and serialized header by header. This takes as long as all else that a
    repeated poll needs (docs/benchmarks.md).
    """

    def __init__(self, message: bytes) -> None:
        super().__init__()
        self._message = message
        self._writer: AbstractStreamWriter | None = None

    @override
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._writer = request.writer
        return self._writer

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        if self._writer is not None:
            await self._writer.write_eof(self._message)


class RenderedStream(_OnKeptConnection):
    """A response in chunks. Its head is sent with the first one."""

    def __init__(self, head: bytes, writer: AbstractStreamWriter) -> None:
        super().__init__()
        self._head, self._writer = head, writer

    @override
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return self._writer

    @override
    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._head:
            await self._writer.write(data)
            return
        head, self._head = self._head, b""
        await self._writer.write(b"%b%x\r\n%b\r\n" % (head, len(data), bytes(data)))
        self._writer.enable_chunking()

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        await self._writer.write_eof(data)


class CommonLines:
    """The last lines of heads that answer calls of pages: what `mark` sets, the date and the CORS headers."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._date = DateHeader()
        self._lines = lines({"Date": "%b", **COMMON, "X-Request-Id": "%b", "Vary": "Origin"})
        self._cors = {
            (name, origin): lines(cors.allowed(origin))
            for name, client in clients.items()
            for origin in client.origins
        }

    def of(self, request: web.BaseRequest, *, client: str) -> bytes:
        """Set the request id; return the lines of an answer that pages of *client* may read."""
        readers = self._cors.get((client, request.headers.get("Origin", "")), b"")
        return self._lines % (self._date.now(), identify(request).encode()) + readers


class DateHeader:
    """The value of the header `Date`, formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


def lines(headers: Mapping[str, str]) -> bytes:
    """Return *headers* as lines of a head."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
