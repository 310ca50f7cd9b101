"""Thousands of lightweight browsers, each a socket that reads one event stream."""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, cast

NEVER: Final = math.inf
_AT_ONCE: Final = 50
"""How many connections are opened at a time; the server's backlog is 128."""
_TIMEOUT: Final = 60.0


class Browser(asyncio.Protocol):
    """An event stream: `opened` is done when its head has arrived, `notified` when *word* has or on disconnect."""

    def __init__(self, request: bytes, word: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self._word = word
        self._kept = b""
        self.opened: asyncio.Future[None] = loop.create_future()
        self.notified: asyncio.Future[None] = loop.create_future()
        self.notified_at = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        arrived = perf_counter()
        text = self._kept + data
        self._kept = text[-len(self._word) :]  # the word may be split between two chunks
        if not self.opened.done():
            if text.startswith(b"HTTP/1.1 200"):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(ConnectionError(text[:200].decode(errors="replace")))
        if self._word in text and not self.notified.done():
            self.notified_at = arrived
            self.notified.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.opened, self.notified):
            if not future.done():
                future.cancel()


@dataclass(slots=True)
class Crowd:
    """The browsers of one server, in the order of their requests."""

    browsers: list[Browser] = field(default_factory=list)

    async def enter(self, port: int, requests: Iterable[bytes], *, word: bytes) -> None:
        """Open a stream for each request, some at a time. Raises ConnectionError if the server refuses one."""
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(request: bytes) -> Browser:
            async with gate:
                made = await loop.create_connection(lambda: Browser(request, word), "127.0.0.1", port)
                await made[1].opened
                return made[1]

        async with asyncio.timeout(_TIMEOUT):
            self.browsers += await asyncio.gather(*map(one, requests))

    def leave(self) -> None:
        """Close every stream."""
        for browser in self.browsers:
            browser.transport.abort()
        self.browsers.clear()
