"""The frame around every request: an id, a problem for every error, a log line, a figure."""

import itertools
import logging
import re
import secrets
import time
from collections import Counter
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from handlers.http import brute_force, cors, problems
from handlers.http.operation import CrossOrigin, operation_of
from handlers.http.request_body import shown
from models.errors import InvalidRequest
from service.app_keys import METRICS
from service.observability.logs import REQUEST_ID

log = logging.getLogger("scanbind.access")

_FAULTS: Final = 400
_NOWHERE: Final = "unknown"
_PROCESS: Final = secrets.token_hex(4)
_COUNT: Final = itertools.count()
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


@web.middleware
async def frame(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler; whatever it raises leaves as a problem."""
    identify(request)
    began = time.perf_counter()
    route, operation = _route(request), operation_of(request)
    if operation and operation.cross_origin is not CrossOrigin.NO:
        cors.anybody(request)
    response: web.StreamResponse
    try:
        if not (operation and operation.repeats):
            _refuse_repeated(request)
        response = await handler(request)
    except ConnectionError:
        raise  # nobody is left to answer
    except Exception as e:  # noqa: BLE001 - the last door: every error becomes a problem, none leaks
        response = problems.answer(await brute_force.counted(request, e))
    seconds = time.perf_counter() - began
    # Nobody may invent methods to be counted.
    method = "any" if route == _NOWHERE else request.method
    request.app[METRICS].request(method, route, response.status, seconds=seconds)
    level = logging.DEBUG if request.method == "GET" and response.status < _FAULTS else logging.INFO
    if log.isEnabledFor(level):  # polls are many, and so is what would be said of them
        _note(request, response.status, route, seconds, level=level)
    return response


def _refuse_repeated(request: web.Request) -> None:
    """Return if no parameter of the query stands twice, nor the caller's credentials.

    Proxies and readers differ in which of two they take, so either may be another than the one that was checked.

    Raises:
        InvalidRequest: one does; names it.
    """
    named = request.query.items() if request.query_string else ()  # polls are many, and have none
    for name, times in Counter(name for name, _ in named).items():
        if times > 1:
            raise InvalidRequest(f"{shown(name)}: stands more than once in the query")
    if len(request.headers.getall("Authorization", ())) > 1:
        raise InvalidRequest("Authorization: stands more than once")


def _note(request: web.Request, status: int, route: str, seconds: float, *, level: int) -> None:
    # The pattern, not the path: a path may hold a ticket or a capability, a query what WeChat signed.
    more = {"method": request.method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    log.log(level, "%s %s %d", request.method, route, status, extra=more)


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Put on every answer what every answer carries (a signal before headers are sent)."""
    sign(response)
    response.headers.setdefault("Cache-Control", "no-store")  # what may be kept says so
    await cors.name_origin(request, response)


def sign(response: web.StreamResponse) -> None:
    """Put on *response* what is the same for whoever asks."""
    response.headers["X-Request-Id"] = REQUEST_ID.get() or ""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "scanbind"


def identify(request: web.BaseRequest) -> None:
    """Give the request its id: the caller's own, when that is one."""
    given = request.headers.get("X-Request-Id", "")
    REQUEST_ID.set(given if _REQUEST_ID.fullmatch(given) else f"{_PROCESS}{next(_COUNT):08x}")


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else _NOWHERE
