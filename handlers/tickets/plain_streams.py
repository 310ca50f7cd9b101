"""Opens event streams before the router, as this takes a third of the time (docs/adr/0049).

This answers streams in their plainest form, of tickets that are known without a query. Every other request, and
every one that is refused, goes to the router. Both ways send the same head and events, byte for byte.
"""

import time
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from handlers.http.middleware import account
from handlers.http.rendered import CommonLines, Handler, RenderedStream, lines
from handlers.http.responses import STREAMED
from handlers.tickets.notes import Notes
from handlers.tickets.stream import Opening, follow, place
from models.errors import RateLimited
from service.app_keys import METRICS, SETTINGS

_ROUTE: Final = "/v1/tickets/{ticket}/events"
_BEFORE, _AFTER = _ROUTE.split("{ticket}")
_HEAD: Final = b"HTTP/1.1 200 OK\r\n%b%%b\r\n" % lines(STREAMED | {"Transfer-Encoding": "chunked"})


class PlainStreams:
    """The server's handler for all requests: opens plain event streams, and calls *otherwise* for all else."""

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._app, self._otherwise = app, otherwise
        self._notes = Notes(app)
        self._common = CommonLines(app[SETTINGS].clients)

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine: thousands of requests wait inside, and each would keep one more frame.
        if isinstance(request, web.Request) and _is_plain(request) and (sending := self._sending(request)):
            return self._counted(request, sending)
        return self._otherwise(request)

    def _sending(self, request: web.Request) -> Awaitable[web.StreamResponse] | None:
        """Return what sends the stream; None if it is refused or needs a query."""
        found = self._notes.find(request, request.raw_path.removeprefix(_BEFORE).removesuffix(_AFTER))
        if found is None:
            return None
        note, ticket = found
        head, keys = note.holder
        response = RenderedStream(_HEAD % self._common.of(request, client=keys.client), request.writer)
        try:
            slot = place(request, head, self._app)
        except RateLimited:
            return None  # the router refuses it
        return follow(request, note.holder, Opening(self._app, ticket, note.answer, response, slot))

    async def _counted(self, request: web.Request, sending: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        """Await *sending*, and count the request. What the stream began with must not be kept here."""
        began = time.perf_counter()
        try:
            response = await sending
        except Exception:
            self._account(request, 500, began)
            raise
        self._account(request, response.status, began)
        return response

    def _account(self, request: web.Request, status: int, began: float) -> None:
        account(request, status, _ROUTE, time.perf_counter() - began, metrics=self._app[METRICS])


def _is_plain(request: web.BaseRequest) -> bool:
    """Tell whether *request* could open a stream, without anything that changes how it is answered."""
    return (
        request.raw_path.endswith(_AFTER)
        and request.method == "GET"
        and RenderedStream.fits(request)
        and not request.body_exists
        and "Expect" not in request.headers
    )
