"""A second listener, at `server.internal`, for liveness, readiness and metrics (docs/adr/0044).

It has no router, no stores and no limits of its own: it asks the application that serves at the moment.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from aiohttp import web

from handlers import health
from handlers.http import problems
from handlers.http.bad_requests import Connection
from handlers.http.middleware import UNKNOWN_ROUTE, account, identify, set_common_headers
from service import app_keys
from service.config.addresses import split_place
from service.config.settings import Settings
from service.server.listening import Place, listen
from service.server.slow_clients import Peers, TimeoutServer

log = logging.getLogger(__name__)

_SETTING: Final = "server.internal"
_METHODS: Final = ("GET", "HEAD")
_AT_ONCE: Final = 0.1
"""Seconds for requests in progress when the listener closes."""

Application = Callable[[], web.Application]
"""Returns the application that serves at the moment."""


@asynccontextmanager
async def internal_listener(settings: Settings, application: Application) -> AsyncIterator[int | None]:
    """Listen on `server.internal` while the context lasts, and yield the port; None if it is not set.

    Raises:
        OSError: the address cannot be bound; the message begins with `server.internal`.
    """
    if not settings.server.internal:
        yield None
        return
    host, port = split_place(settings.server.internal)
    runner = web.ServerRunner(_server(application), shutdown_timeout=_AT_ONCE)
    await runner.setup()
    try:
        await listen(web.TCPSite(runner, host, port), Place(host, port, _SETTING, _SETTING))
        bound = runner.addresses[0][1]
        log.info("server: metrics and readiness on %s, port %d", host, bound, extra={"host": host, "port": bound})
        yield bound
    finally:
        await runner.cleanup()


def _server(application: Application) -> web.Server:
    inner = web.Server(partial(_answer, application))
    return TimeoutServer(
        lambda: inner,
        inner.request_handler,
        connection=Connection,
        lost=lambda _: None,
        peers=Peers(0, trusted=()),
        refused=lambda *_: None,  # never called: without a limit no connection is refused
        access_log=None,
        auto_decompress=False,
    )


async def _answer(application: Application, request: web.BaseRequest) -> web.StreamResponse:
    identify(request)
    began, app = time.perf_counter(), application()
    report = health.REPORTS.get(request.path)
    response: web.StreamResponse
    if report is None:
        response = problems.answer(web.HTTPNotFound())
    elif request.method not in _METHODS:
        response = problems.answer(web.HTTPMethodNotAllowed(request.method, _METHODS))
    else:
        response = await report(app)
    set_common_headers(response)
    route = request.path if report else UNKNOWN_ROUTE
    account(request, response.status, route, time.perf_counter() - began, metrics=app[app_keys.METRICS])
    return response
