"""Closes connections that only occupy resources: idle, not reading, or too many from one address."""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from models.errors import RateLimited
from models.ip_address import peer_address, shares
from service.rate_limiting.open_waits import Counter

ASKS_WITHIN: Final = 15.0
"""Seconds until the complete head of the first request."""
KEPT_FOR: Final = 130.0
"""Seconds from an answer to the complete head of the next request: proxies keep connections idle for 120."""
TAKES_WITHIN: Final = 30.0
"""Seconds for the peer to acknowledge sent data."""
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1"))
"""This machine's own addresses."""
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Without it, a stream that is not read lasts until its ticket ends: all its data fits into buffers."""


def open_wide() -> None:
    """Raise this process's limit of open files, about a thousand in most shells, to the system's maximum.

    Otherwise one client could use up all connections by leaving a thousand open.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS reports a maximum that it does not accept
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Peers:
    """Limits the open connections of each address, in this process; 0 means no limit.

    Loopback and *trusted* proxies are not counted: many clients share their addresses, and each client's waiting
    requests are limited anyway.
    """

    def __init__(self, most: int, *, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._counter = Counter("connections_per_address", most)
        self._uncounted = (*LOOPBACK, *trusted)
        self._held: dict[object, list[str]] = {}

    def limit(self, most: int, *, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        """Change the limit and the trusted proxies; open connections stay as they were counted."""
        self._counter.places, self._uncounted = most, (*LOOPBACK, *trusted)

    def enter(self, connection: object, address: str) -> None:
        """Count *connection* for its address. Raises RateLimited."""
        parsed = peer_address(address)
        if parsed is None or any(parsed in network for network in self._uncounted):
            return
        names = []
        for name, times in shares(address):
            self._counter.check(name, times=times)
            names.append(name)
        for name in names:
            self._counter.enter(name)
        self._held[connection] = names

    def leave(self, connection: object) -> None:
        """Stop counting *connection*, if it was counted."""
        for name in self._held.pop(connection, ()):
            self._counter.leave(name)


class TimeoutServer(web.Server):
    """A server with timeouts and limits of connections, for an application that may be replaced.

    *inner* returns the server of the current application, and *handler* handles the requests. *connection* makes
    the protocol of each connection, with the options *how*. *lost* is called for each closed connection, and
    *refused* for each that *peers* rejects.
    """

    def __init__(
        self,
        inner: Callable[[], web.Server],
        handler: Handler,
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
        self._deadlines: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        super().__init__(handler, request_factory=self._make_request)

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        return self._connection(self, loop=asyncio.get_running_loop())

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Accept a connection, with a deadline for its first request."""
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        try:
            self._peers.enter(handler, address)
        except RateLimited as refusal:
            loop.call_soon(transport.abort)  # not at once: aiohttp has not set up the connection yet
            self._refused(refusal, address)
            return
        sock = transport.get_extra_info("socket")
        if _USER_TIMEOUT is not None and sock and isinstance(peer, tuple):  # that of a unix socket is text
            sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(TAKES_WITHIN * 1000))
        self._deadlines[handler] = loop.call_later(ASKS_WITHIN, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Free the place and the timer of a connection."""
        self._cancel_deadline(handler)
        self._peers.leave(handler)
        self._lost(handler)
        super().connection_lost(handler, exc)

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        self._cancel_deadline(protocol)
        return self._inner().request_factory(message, payload, protocol, writer, task)

    def _cancel_deadline(self, handler: web.RequestHandler) -> None:
        if timer := self._deadlines.pop(handler, None):
            timer.cancel()
