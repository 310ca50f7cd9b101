"""Serves the application, and stops it gracefully: open requests are finished first."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from aiohttp import web

from handlers.http import brute_force
from handlers.http.bad_requests import Connection
from service.config.settings import Settings
from service.server.app import utcnow
from service.server.background_tasks import beside
from service.server.control import controlled
from service.server.generations import Generations, open_generations
from service.server.internal import internal_listener
from service.server.listening import Place, listen
from service.server.reloading import Reloading
from service.server.resources import Clock, open_resources
from service.server.slow_clients import TimeoutServer, open_wide
from service.server.stopping import Step

log = logging.getLogger(__name__)

_DRAIN: Final = 1.0
"""Seconds between turning unready and closing the listening socket, for load balancers to notice."""
_AT_ONCE: Final = 0.01
"""Seconds for requests that are cancelled; for aiohttp, 0 means no limit."""
_LAST: Final = 9.3
"""Seconds after which a stopping process exits, even if something still runs; contract.md 7 allows ten."""
_COLLECT: Final = (10_000, 10, 100)
"""Thresholds of the garbage collector's three generations."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running service, which listens on `port` and, if `server.internal` is set, on `internal_port`."""

    generations: Generations
    port: int
    internal_port: int | None

    @property
    def app(self) -> web.Application:
        """The application that handles new requests."""
        return self.generations.app

    async def drain(self) -> None:
        """Turn unready, answer all waiting requests, and give load balancers a moment to notice."""
        self.generations.drain()
        await asyncio.sleep(_DRAIN)


@asynccontextmanager
async def opened(settings: Settings, *, clock: Clock = utcnow) -> AsyncIterator[tuple[Generations, web.Server]]:
    """Open all resources; yield the generations and their server, which is not bound to an address yet.

    Raises: see `running`.
    """
    async with open_resources(settings, clock=clock) as resources, open_generations(settings, resources) as live:
        # Requests are never decompressed: a small body could expand to a huge one.
        yield (
            live,
            TimeoutServer(
                lambda: live.server,
                live,
                connection=Connection,
                lost=resources.waits.connection_lost,
                peers=resources.peers,
                refused=lambda refusal, address: brute_force.note(live.app, refusal, address),
                access_log=None,
                auto_decompress=False,
            ),
        )


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
    async with AsyncExitStack() as stack:
        live, listener = await stack.enter_async_context(opened(settings, clock=clock))
        internal = await stack.enter_async_context(internal_listener(settings, lambda: live.app))
        runner = web.ServerRunner(listener, shutdown_timeout=0)
        stack.push_async_callback(lambda: live.resources.stop.end(Step.REQUESTS, _finish(runner)))
        stack.callback(live.drain)
        await runner.setup()
        server = settings.server
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, server.host, server.port)
        await listen(site, Place(server.host, server.port))
        yield Running(live, runner.addresses[0][1], internal)


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


async def serve(settings: Settings, *, load: Callable[[], Settings]) -> int:
    """Serve until SIGTERM or SIGINT, then stop gracefully; return the exit status.

    SIGHUP and `scanbind reload` take the settings that *load* then returns. Raises: see `running`.
    """
    open_wide()
    stop, hangup = asyncio.Event(), asyncio.Event()
    for signum, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hangup)):
        asyncio.get_running_loop().add_signal_handler(signum, event.set)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running(settings))
        reloading = Reloading(generations=service.generations, load=load)
        await stack.enter_async_context(controlled(settings.data_dir, reloading))
        await stack.enter_async_context(beside((partial(reloading.run, hangup),)))
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
