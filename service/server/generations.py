"""Replaces the application while the process serves: a reload builds a new one on the same resources.

A generation is the application for one version of the settings. A request is handled by one generation to its end.
An event stream continues in the next one (handlers/tickets/stream.py), so the old one closes within seconds.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from aiohttp import web, web_app

from handlers.http.bad_requests import only_continue
from handlers.tickets.plain_streams import PlainStreams
from handlers.tickets.repeated_polls import RepeatedPolls
from service import app_keys
from service.concurrency.tasks import cancel_and_wait
from service.config.settings import Settings
from service.server.app import TAKE_OVER, TASKS, make_app
from service.server.resources import Resources
from service.server.slow_clients import Handler
from service.server.stopping import STOP, Step

log = logging.getLogger(__name__)

_LINGER: Final = 25.0
"""Seconds for what a former generation has begun: no request takes longer (service/methods/visits.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """An application that is set up, its server, which listens nowhere, and what handles its requests."""

    app: web.Application
    runner: web.AppRunner
    server: web.Server
    handler: Handler

    @classmethod
    async def open(cls, app: web.Application) -> Self:
        """Set *app* up. Raises: as `make_app`."""
        runner = web.AppRunner(app)
        try:
            await runner.setup()
        except BaseException:
            await runner.cleanup()
            raise
        if runner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        handler = PlainStreams(app, RepeatedPolls(app, only_continue(runner.server.request_handler)))
        return cls(app=app, runner=runner, server=runner.server, handler=handler)


@dataclass(slots=True)
class Generations:
    """The generation that handles new requests. Call it with a request."""

    resources: Resources
    _current: Generation
    _retiring: "asyncio.Task[None] | None" = field(default=None, init=False)

    @property
    def app(self) -> web.Application:
        """The application of the current generation."""
        return self._current.app

    @property
    def server(self) -> web.Server:
        """The server of the current generation; it makes the requests."""
        return self._current.server

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        return self._current.handler(request)

    async def retired(self) -> None:
        """Wait until the generation before the current one has closed: there are at most two at a time."""
        if self._retiring:
            await asyncio.wait({self._retiring})

    async def replace(self, settings: Settings) -> None:
        """Handle new requests with *settings*, and end what they no longer allow. If it raises, nothing changes.

        Call it after `retired`, and not again before it has returned. Raises: as `make_app`.
        """
        app = make_app(settings, self.resources, current=lambda: self.app)
        new, old = await Generation.open(app), self._current
        self._current = new
        if self.resources.stop.began:
            self.drain()
        self.resources.limit(settings)
        new.app[TAKE_OVER]()
        old.app[app_keys.DRAINING].set()
        self.resources.feed.wake_all()
        self._retiring = asyncio.create_task(_retire(old))
        self._retiring.add_done_callback(_free_memory)

    def drain(self) -> None:
        """Begin the stop: answer all waiting requests now, and later ones without a wait, even after a reload."""
        self.resources.stop.begin()
        self.app[STOP].begin()
        self.app[app_keys.DRAINING].set()
        self.resources.feed.close()

    async def close(self) -> None:
        """Close the generations, the retiring one first."""
        if self._retiring:
            await self.resources.stop.end(Step.PUSHES, self.retired())
            self._retiring.cancel()  # without effect once it has ended
        await self._current.runner.cleanup()


@asynccontextmanager
async def open_generations(settings: Settings, resources: Resources) -> AsyncIterator[Generations]:
    """Open the first generation; close the last one at the end. Raises: as `make_app`."""
    opened: list[Generations] = []
    app = make_app(settings, resources, current=lambda: opened[0].app)
    first = await Generation.open(app)
    opened.append(Generations(resources, first))
    app[TAKE_OVER]()
    try:
        yield opened[0]
    finally:
        await opened[0].close()


async def _retire(old: Generation) -> None:
    """Close a generation that gets no new requests, after what it has begun."""
    try:
        try:
            async with asyncio.timeout(_LINGER):
                await _finish(old.app)
        finally:
            await old.runner.cleanup()
    except Exception:
        log.exception("reload: the former generation did not close cleanly")


async def _finish(app: web.Application) -> None:
    """End the background work of a former generation at once, and wait for its requests and pushes."""
    await cancel_and_wait(*app[TASKS])
    await app[app_keys.SENDER].finish()
    await app[app_keys.OPEN_REQUESTS].none_left()
    await app[app_keys.PUSH_DISPATCHER].finish()


def _free_memory(_: "asyncio.Task[None]") -> None:
    """Free a closed generation now, or each reload would add a megabyte or more."""
    web_app._cached_build_middleware.cache_clear()  # noqa: SLF001 - it keeps the applications of 1024 handlers
    gc.collect()  # by itself the collector begins late (service/server/runner.py)
