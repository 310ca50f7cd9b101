"""Answers repeated polls before the router, since they are most of all requests (docs/adr/0025).

A poll that went through the router leaves a note beside the cached ticket: its caller's proof, and its answer as
bytes. The note lasts as long as the cache holds this state (service/tickets/feed.py). It answers further polls in
their plainest form; every other request goes to the router. Both ways give the same answer, byte for byte.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from handlers.http import cors
from handlers.http.entity_tags import known_tags
from handlers.http.middleware import COMMON, account, identify
from handlers.http.operation import JSON
from handlers.http.rendered import DateHeader, Rendered, lines
from handlers.http.responses import UNALTERED, seconds_left, to_json
from handlers.tickets.schemas import TicketState
from models.scene import TicketHeader
from models.ticket import Ticket, TicketId
from service.app_keys import CLOCK, FEED, METRICS, SETTINGS, TICKET_STATUS
from service.crypto.keyring import ClientKeys
from service.tickets.status import TicketStatus

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Holder = tuple[TicketHeader, ClientKeys]
"""The header of the authenticated ticket, and its client's keys."""

_ROUTE: Final = "/v1/tickets/{ticket}"
_BEFORE: Final = _ROUTE.removesuffix("{ticket}")
_NO_PROOF: Final = f"Bearer {'-' * 36}"
"""Compared where there is no note, so that an unknown ticket takes as long as a wrong secret."""
_ETAG: Final = {**UNALTERED, "ETag": '"%b"'}
_BODY: Final = {"Content-Type": JSON, "Content-Length": "%d"}
_COMMON: Final = {"Date": "%b", **COMMON, "X-Request-Id": "%b", "Vary": "Origin"}
_NOT_MODIFIED: Final = b"HTTP/1.1 304 Not Modified\r\n%b%%b\r\n" % lines(_ETAG | _COMMON)
_OK: Final = b"HTTP/1.1 200 OK\r\n%b%%b\r\n%%b" % lines(_ETAG | _BODY | _COMMON)


@dataclass(frozen=True, slots=True)
class _Note:
    """What answers the next polls of a ticket in one state."""

    status: TicketStatus
    """Of the application that answered: after a reload the note is no longer used."""
    proof: str
    """The `Authorization` header with the ticket's secret."""
    head: TicketHeader
    client: str
    tag: str
    body: tuple[bytes, bytes]
    """What is before and after the seconds left, which change."""


def remember(app: web.Application, ticket: Ticket, holder: Holder, *, tag: str, state: TicketState) -> None:
    """Leave a note for the next polls of *ticket*, which is not final: they get *state*, with the ETag *tag*."""
    head, keys = holder
    proof = f"Bearer {keys.secret(head.ticket)}"
    before, name, rest = to_json(state).partition(b'"expires_in":')
    body = before + name, rest.removeprefix(b"%d" % state.expires_in)
    app[FEED].annotate(ticket, _Note(app[TICKET_STATUS], proof, head, keys.client, tag, body))


class RepeatedPolls:
    """The server's handler for all requests: answers repeated polls, and calls *otherwise* for all else."""

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._feed, self._status = app[FEED], app[TICKET_STATUS]
        self._metrics, self._clock = app[METRICS], app[CLOCK]
        self._otherwise = otherwise
        self._date = DateHeader()
        self._cors = {
            (name, origin): lines(cors.allowed(origin))
            for name, client in app[SETTINGS].clients.items()
            for origin in client.origins
        }

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine: thousands of requests wait inside, and each would keep one more frame.
        note = self._note(request) if _is_plain(request) else None
        return self._otherwise(request) if note is None else self._answer(request, note)

    def _note(self, request: web.BaseRequest) -> _Note | None:
        """Return the note that answers *request*: the caller has the proof, and the ticket needs no query."""
        note: _Note | None = self._feed.note(TicketId(request.raw_path.removeprefix(_BEFORE)))
        proofs = request.headers.getall("Authorization", [""])
        proved = ClientKeys.same(proofs[0], note.proof if note else _NO_PROOF) and len(proofs) == 1
        current = note is not None and note.status is self._status
        return note if note and proved and current and self._status.known(note.head) else None

    async def _answer(self, request: web.BaseRequest, note: _Note) -> web.StreamResponse:
        began = time.perf_counter()
        request_id, tag = identify(request).encode(), note.tag.encode()
        readers = self._cors.get((note.client, request.headers.get("Origin", "")), b"")
        if note.tag in known_tags(request, current=note.tag):
            status, message = 304, _NOT_MODIFIED % (tag, self._date.now(), request_id, readers)
        else:
            body = b"%b%d%b" % (note.body[0], seconds_left(note.head.expires_at, self._clock()), note.body[1])
            status, message = 200, _OK % (tag, len(body), self._date.now(), request_id, readers, body)
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
