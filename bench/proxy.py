"""A TCP proxy before a store's Unix socket that counts round trips, and can delay both directions."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = 64 * 1024
_NEXT: Final = 1e-6
"""Seconds between two pieces: the event loop does not keep the order of timers with equal times."""


@dataclass(slots=True)
class Proxy:
    """Counts what passes on all connections."""

    socket: str
    delay: float
    """Seconds that a round trip takes longer."""
    port: int = 0
    trips: int = 0
    """How often the client sent something that was not preceded by something else of its own."""
    _connections: "set[asyncio.Task[None]]" = field(default_factory=set, init=False)

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(_Connection(self).serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@dataclass(slots=True)
class _Connection:
    proxy: Proxy
    _asked: bool = False
    """The last piece came from the client."""

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self.proxy.socket)
        # The first piece of the client comes after the handshake of TCP, which is a round trip.
        opened = asyncio.get_running_loop().time() + self.proxy.delay * 1.5
        try:
            await asyncio.gather(
                self._pass(reader, to_server, asks=True, due=opened), self._pass(server, writer, asks=False)
            )
        finally:
            writer.transport.abort()
            to_server.transport.abort()

    async def _pass(self, reader: StreamReader, writer: StreamWriter, *, asks: bool, due: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                self.proxy.trips += asks and not self._asked
                self._asked = asks
                due = max(loop.time() + self.proxy.delay / 2, due + _NEXT)
                loop.call_at(due, writer.write, piece)
        loop.call_at(due + _NEXT, writer.close)


@asynccontextmanager
async def proxy(socket: str, *, delay: float = 0.0) -> AsyncIterator[Proxy]:
    """Run a proxy before the server that listens at the path *socket*."""
    one = Proxy(socket, delay)
    server = await asyncio.start_server(one.accept, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await one.close()
