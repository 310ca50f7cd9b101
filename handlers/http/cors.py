"""CORS: which pages may read an answer (contract.md 3).

Every page may read a script. For all else the origin sent is a configured one, never reflected and never `*`.
"""

from collections.abc import Collection
from itertools import chain
from typing import Final

from aiohttp import web

from handlers.http.operation import TEXT, Answer, CrossOrigin, Operation
from service.app_keys import SETTINGS

_READERS: Final = web.RequestKey("readers", Collection)
_ALL_LISTED: Final = frozenset({"all"})
"""Stands for the origins of all clients; no origin is written like this."""
_ANY: Final = "*"
_EXPOSED: Final = "ETag, Retry-After, X-Request-Id"
_METHODS: Final = "GET, POST, DELETE"
_HEADERS: Final = "Authorization, Content-Type, If-None-Match, Prefer"
_PREFLIGHT_SECONDS: Final = "600"


def begin(request: web.Request, cross_origin: CrossOrigin) -> None:
    """Let every page read a public answer, else pages of every client's origins until the client is known."""
    request[_READERS] = _ANY if cross_origin is CrossOrigin.PUBLIC else _ALL_LISTED


def only(request: web.Request, origins: Collection[str]) -> None:
    """Let only pages of *origins* read the answer."""
    request[_READERS] = origins


def preflight_of(operation: Operation) -> Operation:
    """Return the OPTIONS operation at the path of *operation*; its answer depends on no parameter."""
    in_path = ({**it, "schema": TEXT} for it in operation.parameters if it["in"] == "path")
    return Operation(
        *("cors", None, "OPTIONS", operation.path, preflight),
        parameters=tuple(in_path),
        answers={204: Answer("With CORS headers, if a client lists the origin.")},
        cross_origin=CrossOrigin.CALL,
    )


async def preflight(request: web.Request) -> web.Response:
    """Answer a CORS preflight.

    Which page may read the answer to the request itself is decided with that answer.
    """
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    }
    return web.Response(status=204, headers=headers if _reader(request) else {})


def name_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Set the CORS headers if the page may read the answer (called before headers are sent)."""
    if _READERS not in request:
        return
    if request[_READERS] is _ANY:
        response.headers["Access-Control-Allow-Origin"] = _ANY
        return
    response.headers.add("Vary", "Origin")
    if reader := _reader(request):
        response.headers.update(allowed(reader))


def allowed(origin: str) -> dict[str, str]:
    """Return the headers that let pages of *origin*, which must be a configured one, read an answer."""
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}


def _reader(request: web.Request) -> str | None:
    """Return the page's origin from the configuration, or None if the page may not read the answer."""
    origin, readers = request.headers.get("Origin"), request[_READERS]
    clients = request.app[SETTINGS].clients.values()
    listed = chain.from_iterable(client.origins for client in clients) if readers is _ALL_LISTED else readers
    return next((one for one in listed if one == origin), None)
