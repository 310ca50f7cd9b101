"""Which pages may read an answer. The origin is named from configuration, never reflected (contract.md 3)."""

from collections.abc import Collection
from itertools import chain
from typing import Final

from aiohttp import web

from handlers.http.operation import TEXT, Answer, CrossOrigin, Operation
from service.app_keys import SETTINGS

_READERS: Final = web.RequestKey("readers", Collection)
_ANYBODY: Final = frozenset({"*"})
"""Stands for every origin that some client lists; no origin is written like this."""
_EXPOSED: Final = "ETag, Retry-After, X-Request-Id"
_METHODS: Final = "GET, POST, DELETE"
_HEADERS: Final = "Authorization, Content-Type, If-None-Match, Prefer"
_PREFLIGHT_LIVES: Final = "600"


def anybody(request: web.Request) -> None:
    """Let any page that some client lists read the answer, as long as nobody knows whose ticket it is."""
    request[_READERS] = _ANYBODY


def only(request: web.Request, origins: Collection[str]) -> None:
    """Let only pages of *origins* read the answer."""
    request[_READERS] = origins


def preflight_of(operation: Operation) -> Operation:
    """Return the operation that answers OPTIONS where *operation* stands."""
    # The answer depends on no parameter.
    in_path = ({**it, "schema": TEXT} for it in operation.parameters if it["in"] == "path")
    return Operation(
        *("cors", None, "OPTIONS", operation.path, preflight),
        parameters=tuple(in_path),
        answers={204: Answer("With CORS headers, if some client lists the origin.")},
        cross_origin=CrossOrigin.CALL,
    )


async def preflight(request: web.Request) -> web.Response:
    """Answer a browser that asks whether a page may call; what it then reads is decided per answer."""
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": _PREFLIGHT_LIVES,
    }
    return web.Response(status=204, headers=headers if _reader(request) else {})


async def name_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Name the page's origin in the answer, if it may read it (a signal before headers are sent)."""
    if _READERS not in request:
        return
    response.headers.add("Vary", "Origin")
    if reader := _reader(request):
        response.headers["Access-Control-Allow-Origin"] = reader
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED


def _reader(request: web.Request) -> str | None:
    """Return the page's origin as the configuration writes it, None if the page may not read the answer."""
    origin, readers = request.headers.get("Origin"), request[_READERS]
    clients = request.app[SETTINGS].clients.values()
    listed = chain.from_iterable(client.origins for client in clients) if readers is _ANYBODY else readers
    return next((one for one in listed if one == origin), None)
