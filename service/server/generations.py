"""Replaces the application while the process serves: a reload builds a new one on the same resources.

A generation is the application for one version of the settings. A request is handled by one generation to its end.
An event stream continues in the next one (handlers/tickets/status.py), so the old one closes within seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from handlers.http.bad_requests import only_continue
from handlers.tickets.repeated_polls import RepeatedPolls
from service import app_keys
from service.concurrency.tasks import cancel_and_wait
from service.config.settings import Settings
from service.server.app import TAKE_OVER, TASKS, make_app
from service.server.resources import Resources
from service.server.slow_clients import Handler
from service.server.stopping import STOP, Step

log = logging.getLogger(__name__)


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
        handler = RepeatedPolls(app, only_continue(runner.server.request_handler))
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

    async def replace(self, settings: Settings) -> None:
        """Handle new requests with *settings*, and end what they no longer allow. If it raises, nothing changes.

        Not to be called again before it has returned. Raises: as `make_app`.
        """
        if self._retiring:
            await asyncio.wait({self._retiring})  # at most two generations at a time
        app = make_app(settings, self.resources, current=lambda: self.app)
        new, old = await Generation.open(app), self._current
        self._current = new
        self.resources.limit(settings)
        new.app[TAKE_OVER]()
        old.app[app_keys.DRAINING].set()
        self.resources.feed.wake_all()
        self._retiring = asyncio.create_task(_retire(old))

    async def close(self) -> None:
        """Close the generations, the retiring one first."""
        if self._retiring:
            await asyncio.wait({self._retiring})
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
    """Close a generation that gets no new requests: its background work at once, then its open requests."""
    stop = old.app[STOP]
    try:
        await stop.end(Step.BACKGROUND, cancel_and_wait(*old.app[TASKS]))
        await stop.end(Step.DELIVERIES, old.app[app_keys.SENDER].finish())
        await stop.end(Step.REQUESTS, old.app[app_keys.OPEN_REQUESTS].none_left())
        await old.runner.cleanup()
    except Exception:
        log.exception("reload: the former generation did not close cleanly")
