"""Wraps every request: request id, errors as problems, access log, metrics."""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections import Counter
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from handlers.http import brute_force, cors, problems
from handlers.http.operation import CrossOrigin, operation_of
from handlers.http.request_body import shown
from models.errors import InvalidRequest
from service.app_keys import METRICS, OPEN_REQUESTS
from service.observability.logs import REQUEST_ID
from service.observability.metrics import Metrics

log = logging.getLogger("scanbind.access")

_FIRST_ERROR: Final = 400
UNKNOWN_ROUTE: Final = "unknown"
"""The label of all addresses without a route."""
_PROCESS: Final = secrets.token_hex(4)
_COUNT: Final = itertools.count()
COMMON: Final = {"Server": "scanbind", "X-Content-Type-Options": "nosniff"}
"""Headers of every response."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


@web.middleware
async def frame(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler; answer every exception with a problem."""
    identify(request)
    began = time.perf_counter()
    route, operation = _route(request), operation_of(request)
    if operation and operation.cross_origin is not CrossOrigin.NO:
        cors.begin(request, operation.cross_origin)
    response: web.StreamResponse
    request.app[OPEN_REQUESTS].enter(request)
    try:
        if not (operation and operation.repeats):
            _refuse_repeated(request)
        response = await handler(request)
    except ConnectionError:
        raise  # the client may have disconnected
    except Exception as e:  # noqa: BLE001 - every error becomes a problem, none leaks
        response = problems.answer(await brute_force.counted(request, e))
    finally:
        request.app[OPEN_REQUESTS].leave(request)
    account(request, response.status, route, time.perf_counter() - began, metrics=request.app[METRICS])
    return response


def account(request: web.BaseRequest, status: int, route: str, seconds: float, *, metrics: Metrics) -> None:
    """Count an answered request, and write it into the access log."""
    # Unknown addresses share one label: callers may send any method, and each would be a new time series.
    metrics.request("any" if route == UNKNOWN_ROUTE else request.method, route, status, seconds=seconds)
    level = logging.DEBUG if request.method == "GET" and status < _FIRST_ERROR else logging.INFO
    if log.isEnabledFor(level):  # polls are frequent: nothing is formatted for them in vain
        # The route, not the path or query: these may contain a ticket, a capability or a signed push.
        more = {"method": request.method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        write = partial(log.log, level, "%s %s %d", request.method, route, status, extra=more)
        asyncio.get_running_loop().call_soon(write)  # after the response: to format a line takes 0.15 ms


def _refuse_repeated(request: web.Request) -> None:
    """Check that no query parameter and no `Authorization` header is repeated.

    Proxies and servers differ in which of two values they use, so the one used might not be the one checked.

    Raises:
        InvalidRequest: one is repeated; the detail names it.
    """
    if request.query_string:  # most requests have none, and counting costs as much as routing
        for name, times in Counter(name for name, _ in request.query.items()).items():
            if times > 1:
                raise InvalidRequest(f"{shown(name)}: appears more than once in the query")
    if len(request.headers.getall("Authorization", ())) > 1:
        raise InvalidRequest("Authorization: appears more than once")


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every response (the signal `on_response_prepare`)."""
    set_common_headers(response)
    response.headers.setdefault("Cache-Control", "no-store")  # responses that may be cached set their own
    cors.name_origin(request, response)


def set_common_headers(response: web.StreamResponse) -> None:
    """Set the headers that do not depend on the caller."""
    response.headers.update(COMMON)
    response.headers["X-Request-Id"] = REQUEST_ID.get() or ""


def identify(request: web.BaseRequest) -> str:
    """Set the request id, and return it: the caller's `X-Request-Id` if it is valid, else a new one."""
    given = request.headers.get("X-Request-Id")
    own = given if given and _REQUEST_ID.fullmatch(given) else f"{_PROCESS}{next(_COUNT):08x}"
    REQUEST_ID.set(own)
    return own


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical.removesuffix("/") or "/" if resource else UNKNOWN_ROUTE
