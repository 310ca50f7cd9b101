"""A response of bytes that are sent as they are."""

import time
from collections.abc import Mapping
from email.utils import formatdate

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from typing_extensions import override


class Rendered(web.StreamResponse):
    """A whole response, head and body, for HTTP/1.1 on a connection that stays open.

    aiohttp's own responses are prepared and serialized header by header. This takes as long as all else that a
    repeated poll needs (docs/benchmarks.md).
    """

    def __init__(self, message: bytes) -> None:
        super().__init__()
        self._message = message
        self._writer: AbstractStreamWriter | None = None

    @staticmethod
    def fits(request: web.BaseRequest) -> bool:
        """Tell whether *request* may be answered by one."""
        return request.version == HttpVersion11 and request.keep_alive

    @property
    @override
    def keep_alive(self) -> bool:
        return True

    @override
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._writer = request.writer
        return self._writer

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        if self._writer is not None:
            await self._writer.write_eof(self._message)


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
