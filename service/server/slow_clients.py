"""Connections that only take up room are ended: those that ask nothing, take no answer, or are too many."""

import asyncio
import resource
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from models.errors import RateLimited
from models.ip_address import parsed_address, shares
from service.rate_limiting.open_waits import Counter

ASKS_WITHIN: Final = 15.0
"""Seconds for the whole head of the first request."""
KEPT_FOR: Final = 130.0
"""Seconds from an answer to the whole head of the next request: proxies keep idle connections two minutes."""
TAKES_WITHIN: Final = 30.0
"""Seconds for the other side to acknowledge what was sent."""
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1"))
"""This machine's own addresses."""
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Where the system has none, a stream that is not read ends with its ticket, for all it says fits into buffers."""


def open_wide() -> None:
    """Let this process hold as many connections as the system lets it, and not the thousand most shells give.

    Else a thousand that one visitor leaves open would keep everybody out.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS names a number that it does not allow
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Peers:
    """How many connections each address has open, in this process; 0 stands for no limit.

    This machine's own addresses are not counted, nor those of *trusted* proxies: either stands for many visitors,
    each of whom has a limit of places to wait.
    """

    def __init__(self, most: int, *, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._counter = Counter("connections_per_address", most)
        self._uncounted = (*LOOPBACK, *trusted)
        self._held: dict[object, list[str]] = {}

    def enter(self, connection: object, address: str) -> None:
        """Count *connection* for its address. Raises RateLimited."""
        parsed = parsed_address(address)
        if not self._counter.places or parsed is None or any(parsed in network for network in self._uncounted):
            return
        names = []
        for whose, times in shares(address):
            self._counter.check(whose, times=times)
            names.append(whose)
        for whose in names:
            self._counter.enter(whose)
        self._held[connection] = names

    def leave(self, connection: object) -> None:
        """Forget *connection*, if it was counted."""
        for whose in self._held.pop(connection, ()):
            self._counter.leave(whose)


class TimeoutServer(web.Server):
    """What an application's server is, on connections that are watched. Answers everything *inner* would.

    A connection is made as *connection*, with *how*; *lost* is told of each that has ended, and *refused* of each
    that *peers* leaves no room for.
    """

    def __init__(
        self,
        inner: web.Server,
        *,
        connection: Callable[..., web.RequestHandler],
        lost: Callable[[web.RequestHandler], None],
        peers: Peers,
        refused: Callable[[RateLimited, str], None],
        **how: Any,
    ) -> None:
        self._inner = inner
        self._lost = lost
        self._peers = peers
        self._refused = refused
        self._connection = partial(connection, keepalive_timeout=KEPT_FOR, **how)
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        super().__init__(inner.request_handler, request_factory=self._begin)

    def __call__(self) -> web.RequestHandler:
        """Make what speaks on a connection."""
        return self._connection(self, loop=asyncio.get_running_loop())

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Let a connection in, for a while."""
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        try:
            self._peers.enter(handler, address)
        except RateLimited as refusal:
            loop.call_soon(transport.abort)  # not at once: aiohttp has yet to begin with the connection
            self._refused(refusal, address)
            return
        sock = transport.get_extra_info("socket")
        if _USER_TIMEOUT is not None and sock and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(TAKES_WITHIN * 1000))
        self._silent[handler] = loop.call_later(ASKS_WITHIN, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        self._spoke(handler)
        self._peers.leave(handler)
        self._lost(handler)
        super().connection_lost(handler, exc)

    def _begin(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        self._spoke(protocol)
        return self._inner.request_factory(message, payload, protocol, writer, task)

    def _spoke(self, handler: web.RequestHandler) -> None:
        if timer := self._silent.pop(handler, None):
            timer.cancel()
