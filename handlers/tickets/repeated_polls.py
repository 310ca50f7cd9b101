"""Answers repeated polls before the router, since they are most of all requests (docs/adr/0025).

A note beside the cached ticket (handlers/tickets/notes.py) answers polls in their plainest form; every other
request goes to the router. Both ways give the same answer, byte for byte.
"""

import time
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from handlers.http.entity_tags import known_tags
from handlers.http.middleware import account
from handlers.http.operation import JSON
from handlers.http.rendered import CommonLines, Handler, Rendered, lines
from handlers.http.responses import UNALTERED, seconds_left
from handlers.tickets.notes import Note, Notes
from service.app_keys import CLOCK, METRICS, SETTINGS

_ROUTE: Final = "/v1/tickets/{ticket}"
_BEFORE: Final = _ROUTE.removesuffix("{ticket}")
_ETAG: Final = {**UNALTERED, "ETag": '"%b"'}
_BODY: Final = {"Content-Type": JSON, "Content-Length": "%d"}
_NOT_MODIFIED: Final = b"HTTP/1.1 304 Not Modified\r\n%b%%b\r\n" % lines(_ETAG)
_OK: Final = b"HTTP/1.1 200 OK\r\n%b%%b\r\n%%b" % lines(_ETAG | _BODY)


class RepeatedPolls:
    """The server's handler for all requests: answers repeated polls, and calls *otherwise* for all else."""

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._notes, self._otherwise = Notes(app), otherwise
        self._metrics, self._clock = app[METRICS], app[CLOCK]
        self._common = CommonLines(app[SETTINGS].clients)

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine: thousands of requests wait inside, and each would keep one more frame.
        found = self._notes.find(request, request.raw_path.removeprefix(_BEFORE)) if _is_plain(request) else None
        return self._otherwise(request) if found is None else self._answer(request, found[0])

    async def _answer(self, request: web.BaseRequest, note: Note) -> web.StreamResponse:
        began = time.perf_counter()
        (head, keys), answer = note.holder, note.answer
        common, tag = self._common.of(request, client=keys.client), answer.tag.encode()
        if answer.tag in known_tags(request, current=answer.tag):
            status, message = 304, _NOT_MODIFIED % (tag, common)
        else:
            body = answer.body % seconds_left(head.expires_at, self._clock())
            status, message = 200, _OK % (tag, len(body), common, body)
        account(request, status, _ROUTE, time.perf_counter() - began, metrics=self._metrics)
        return Rendered(message)


def _is_plain(request: web.BaseRequest) -> bool:
    """Tell whether *request* could be a poll without anything that changes how it is answered."""
    return (
        request.method == "GET"
        and Rendered.fits(request)
        and "Prefer" not in request.headers
        and "Expect" not in request.headers
    )
