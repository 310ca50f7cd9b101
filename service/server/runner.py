"""Serves the application, and stops it gracefully: open requests are finished first."""

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from aiohttp import web

from handlers.http import brute_force
from handlers.http.bad_requests import Connection, only_continue
from handlers.tickets.repeated_polls import RepeatedPolls
from service import app_keys
from service.config.settings import Server, Settings
from service.server.app import Clock, make_app, utcnow
from service.server.slow_clients import Peers, TimeoutServer, open_wide
from service.server.stopping import STOP, Step

log = logging.getLogger(__name__)

_DRAIN: Final = 1.0
"""Seconds between turning unready and closing the listening socket, for load balancers to notice."""
_AT_ONCE: Final = 0.01
"""Seconds for requests that are cancelled; for aiohttp, 0 means no limit."""
_LAST: Final = 9.3
"""Seconds after which a stopping process exits, even if something still runs; contract.md 7 allows ten."""
_COLLECT: Final = (10_000, 10, 100)
"""Thresholds of the garbage collector's three generations."""


async def _release_waiting(app: web.Application) -> None:
    """Answer all waiting requests now, and later ones without a wait."""
    app[app_keys.DRAINING].set()
    app[app_keys.FEED].close()


@dataclass(frozen=True, slots=True)
class Running:
    """A running service, which listens on `port`."""

    app: web.Application
    port: int

    async def drain(self) -> None:
        """Turn unready, answer all waiting requests, and give load balancers a moment to notice."""
        self.app[STOP].begin()
        await _release_waiting(self.app)
        await asyncio.sleep(_DRAIN)


@asynccontextmanager
async def opened(app: web.Application) -> AsyncIterator[web.Server]:
    """Open the resources of *app* and yield its server, which is not bound to an address yet.

    Raises: see `running`.
    """
    inner, settings = web.AppRunner(app), app[app_keys.SETTINGS]
    try:
        await inner.setup()
        if inner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        inner.server.request_handler = RepeatedPolls(app, only_continue(inner.server.request_handler))
        # Requests are never decompressed: a small body could expand to a huge one.
        yield TimeoutServer(
            inner.server,
            connection=Connection,
            lost=app[app_keys.WAIT_LIMITER].connection_lost,
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
    """Serve while the context lasts, on *sock* or the configured address; finish open requests at its end.

    Raises:
        ConfigError: embedded stores cannot be used as configured.
        StoreUnavailable: the database does not answer, or its schema is not current.
        OSError: the address cannot be bound.
    """
    app = make_app(settings, clock=clock)
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(await stack.enter_async_context(opened(app)), shutdown_timeout=0)
        stack.push_async_callback(lambda: app[STOP].end(Step.REQUESTS, _finish(runner)))
        stack.push_async_callback(_release_waiting, app)
        await runner.setup()
        server = settings.server
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, server.host, server.port)
        await _listen(site, settings)
        yield Running(app, runner.addresses[0][1])


async def _listen(site: web.BaseSite, settings: Settings) -> None:
    """Start listening. Raises OSError with a message that names the setting and what to do."""
    try:
        await site.start()
    except OSError as error:
        raise OSError(error.errno, _not_listening(error, settings.server)) from error


def _not_listening(error: OSError, server: Server) -> str:
    host, port = server.host, server.port
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"server.host: {host} is no address of this machine; 0.0.0.0 stands for all of them"
    if error.errno == errno.EADDRINUSE:
        finds = f"`ss -ltnp 'sport = :{port}'`" if sys.platform == "linux" else f"`lsof -nP -iTCP:{port}`"
        return f"server.port: {port} is in use at {host}; choose another, or find the process with {finds}"
    if error.errno == errno.EACCES:
        return f"server.port: {port} may only be used by root; choose one from 1024 on, behind a proxy"
    # asyncio's own text repeats the address
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
    return f"server.host, server.port: cannot listen on {host}, port {port}: {reason}"


async def _finish(runner: web.ServerRunner) -> None:
    """Close the listening socket and finish open requests; when cancelled, cancel them."""
    server = runner.server
    try:
        await runner.cleanup()
    except asyncio.CancelledError:
        if server is not None:
            await server.shutdown(_AT_ONCE)
        raise


def _tune_garbage_collector() -> None:
    """Exempt the objects of the start, and collect less often: with thousands of waiting pages a pass is slow."""
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
        _tune_garbage_collector()
        host, port = settings.server.host, service.port
        log.info("server: listening on %s, port %d", host, port, extra={"host": host, "port": port})
        await stop.wait()
        log.info("server: received SIGTERM or SIGINT, stopping")
        _exit_at_deadline()
        await service.drain()
    return 0


def _exit_at_deadline() -> None:
    """Exit the process `_LAST` seconds from now, even if something still runs.

    asyncio waits without limit for cancelled tasks, and Python for threads, such as that of a DNS query.
    """

    def leave() -> NoReturn:
        log.error("stop: the process did not end within %g s, exiting now", _LAST)
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(_LAST, leave)
    timer.daemon = True
    timer.start()
