"""Sends raw bytes to the server's HTTP protocol and returns the response, without a socket."""

import asyncio
from typing import Final

from aiohttp import web
from typing_extensions import override

from fuzz.response_checks import Answer, Fault

_TIMEOUT: Final = 6.0
_PEER: Final = ("203.0.113.9", 40000)


class _Client(asyncio.Transport):
    """The client's end: stores what the server writes; `closed` is done when the server closes the connection."""

    def __init__(self) -> None:
        super().__init__({"peername": _PEER})
        self.written = bytearray()
        self.closed = asyncio.get_running_loop().create_future()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    @override
    def is_closing(self) -> bool:
        return self.closed.done()

    @override
    def close(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    @override
    def abort(self) -> None:
        self.close()

    @override
    def pause_reading(self) -> None:
        """Do nothing: the whole request was sent at once."""

    @override
    def resume_reading(self) -> None:
        """See `pause_reading`."""


async def ask(server: web.Server, request: bytes) -> Answer:
    """Send *request*, which must contain `Connection: close`, and return the response.

    Raises Fault on timeout.
    """
    client, protocol = _Client(), server()
    protocol.connection_made(client)
    protocol.data_received(request)
    try:
        async with asyncio.timeout(_TIMEOUT):
            await client.closed
    except TimeoutError as e:
        raise Fault(f"no response within {_TIMEOUT:g} s") from e
    finally:
        protocol.connection_lost(None)
    return Answer.read(bytes(client.written))
