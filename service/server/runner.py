"""Serves the application: from an open door to a graceful end, in the order that lets everybody finish."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from aiohttp import web

from handlers.http import brute_force
from handlers.http.bad_requests import Connection, only_continue
from service import app_keys
from service.config.settings import Settings
from service.server.app import Clock, make_app, utcnow
from service.server.slow_clients import Peers, TimeoutServer, open_wide
from service.server.stopping import STOP, Step

log = logging.getLogger(__name__)

_DRAIN: Final = 1.0
"""Seconds between turning unready and closing the door, for whoever balances the load to notice."""
_AT_ONCE: Final = 0.01
"""Seconds for requests that are dropped; aiohttp takes 0 for "as long as they like"."""
_LAST: Final = 9.3
"""Seconds after which a process that stops is ended, whatever it still waits for; contract.md 7 allows ten."""
_COLLECT: Final = (10_000, 10, 100)
"""Allocations before the youngest objects are looked through, and how often the older ones are with them."""


async def _let_go(app: web.Application) -> None:
    """Answer everybody who waits, now and from now on."""
    app[app_keys.DRAINING].set()
    app[app_keys.FEED].close()


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers on `port`."""

    app: web.Application
    port: int

    async def drain(self) -> None:
        """Turn unready, let everybody go who waits, and give load balancers a moment to notice."""
        self.app[STOP].begin()
        await _let_go(self.app)
        await asyncio.sleep(_DRAIN)


@asynccontextmanager
async def opened(app: web.Application) -> AsyncIterator[web.Server]:
    """Open the resources of *app* and give its server, which is not bound to an address yet.

    Raises: see `running`.
    """
    inner, settings = web.AppRunner(app), app[app_keys.SETTINGS]
    try:
        await inner.setup()
        if inner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        inner.server.request_handler = only_continue(inner.server.request_handler)
        # Requests are never decompressed: a small body must not become a large one.
        yield TimeoutServer(
            inner.server,
            connection=Connection,
            lost=app[app_keys.WAIT_LIMITER].gone,
            peers=Peers(settings.limits.connections_per_address, trusted=settings.server.trusted_proxies),
            refused=partial(brute_force.note, app),
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
        runner = web.ServerRunner(await stack.enter_async_context(opened(app)), shutdown_timeout=0)
        stack.push_async_callback(lambda: app[STOP].end(Step.REQUESTS, _finish(runner)))
        stack.push_async_callback(_let_go, app)
        await runner.setup()
        server = settings.server
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, server.host, server.port)
        await site.start()
        yield Running(app, runner.addresses[0][1])


async def _finish(runner: web.ServerRunner) -> None:
    """Close the door and finish the requests in hand; when cancelled, cancel them."""
    server = runner.server
    try:
        await runner.cleanup()
    except asyncio.CancelledError:
        if server is not None:
            await server.shutdown(_AT_ONCE)
        raise


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
        _exit_at_last()
        await service.drain()
    return 0


def _exit_at_last() -> None:
    """End this process after `_LAST` seconds with all that is in it.

    asyncio waits without a bound for tasks that were dropped, and Python for threads, such as a DNS query's.
    """

    def leave() -> NoReturn:
        log.error("did not stop in time and exits")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(_LAST, leave)
    timer.daemon = True
    timer.start()
