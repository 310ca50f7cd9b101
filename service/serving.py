"""Serves the application: from an open door to a graceful end, in the order that lets everybody finish."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from handlers.expect import only_continue
from handlers.unreadable import Connection
from service import keys
from service.app import Clock, make_app, utcnow
from service.connections import Doorkeeper, open_wide
from service.settings import Settings

log = logging.getLogger(__name__)

_DRAIN: Final = 1.0
"""Seconds between turning unready and closing the door, for whoever balances the load to notice."""
_FINISH: Final = 6.0
"""Seconds that work in hand may take; CONTRACT 7 allows ten in all."""
_COLLECT: Final = (10_000, 10, 100)
"""Allocations before the youngest objects are looked through, and how often the older ones are with them."""


async def _let_go(app: web.Application) -> None:
    """Answer everybody who waits, now and from now on."""
    app[keys.DRAINING].set()
    app[keys.FEED].close()


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers on `port`."""

    app: web.Application
    port: int

    async def drain(self) -> None:
        """Turn unready, let everybody go who waits, and give load balancers a moment to notice."""
        await _let_go(self.app)
        await asyncio.sleep(_DRAIN)


@asynccontextmanager
async def opened(app: web.Application) -> AsyncIterator[web.Server]:
    """Open the resources of *app* and give its server, which is not bound to an address yet.

    Raises: see `running`.
    """
    inner = web.AppRunner(app)
    try:
        await inner.setup()
        if inner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        inner.server.request_handler = only_continue(inner.server.request_handler)
        # Requests are never decompressed: a small body must not become a large one.
        yield Doorkeeper(
            inner.server,
            connection=Connection,
            lost=app[keys.WAITING].gone,
            access_log=None,
            auto_decompress=False,
        )
    finally:
        await inner.cleanup()


@asynccontextmanager
async def running(
    settings: Settings, *, sock: socket.socket | None = None, clock: Clock = utcnow
) -> AsyncIterator[Running]:
    """Serve for as long as the context lasts, on *sock* or where the settings say; finish work in hand at the end.

    Raises:
        ConfigError: embedded stores cannot be used as configured.
        StoreUnavailable: the database does not answer, or its schema is not current.
        OSError: the address is not to be had.
    """
    app = make_app(settings, clock=clock)
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(await stack.enter_async_context(opened(app)), shutdown_timeout=_FINISH)
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(_let_go, app)
        await runner.setup()
        server = settings.server
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, server.host, server.port)
        await site.start()
        yield Running(app, runner.addresses[0][1])


def _settle_memory() -> None:
    """Keep the collector from walking through everything that waits: with thousands of pages that takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then stop gracefully; return the exit status.

    Raises: see `running`.
    """
    open_wide()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with running(settings) as service:
        _settle_memory()
        log.info("listening", extra={"host": settings.server.host, "port": service.port})
        await stop.wait()
        log.info("stopping")
        await service.drain()
    return 0
