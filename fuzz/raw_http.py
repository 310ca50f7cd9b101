"""A request into the server's own HTTP protocol and its answer out of it, without a socket."""

import asyncio
from typing import Final

from aiohttp import web
from typing_extensions import override

from fuzz.response_checks import Answer, Fault

_ANSWERED_WITHIN: Final = 6.0
_PEER: Final = ("203.0.113.9", 40000)


class _Caller(asyncio.Transport):
    """Whoever calls: keeps what is written, and says when the server hangs up."""

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
        """Everything was said at once; there is nothing to hold back."""

    @override
    def resume_reading(self) -> None:
        """See `pause_reading`."""


async def ask(server: web.Server, request: bytes) -> Answer:
    """Send *request*, which asks for the connection to be closed, and return the answer.

    Raises Fault when there is none in time.
    """
    caller, protocol = _Caller(), server()
    protocol.connection_made(caller)
    protocol.data_received(request)
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN):
            await caller.closed
    except TimeoutError as e:
        raise Fault(f"not answered within {_ANSWERED_WITHIN:g} s") from e
    finally:
        protocol.connection_lost(None)
    return Answer.read(bytes(caller.written))
