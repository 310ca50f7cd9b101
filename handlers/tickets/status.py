"""A ticket is followed by poll, long poll or stream, and cancelled (contract.md 4)."""

import asyncio
import hashlib
import random
import re
from contextlib import suppress
from typing import Final

from aiohttp import web

from handlers.http import authentication
from handlers.http.responses import NO_STORE, json_answer, listed, seconds_left, to_json
from handlers.tickets.create import POLL_AFTER
from handlers.tickets.schemas import TicketState
from models.errors import InvalidRequest, StoreUnavailable
from models.scene import TicketHeader
from models.ticket import Ticket
from service.app_keys import CLOCK, DRAINING, SETTINGS, TICKET_STATUS, WAIT_LIMITER
from service.crypto.keyring import ClientKeys
from service.tickets.status import TicketView

Holder = tuple[TicketHeader, ClientKeys]
"""The header of the ticket whose secret the caller holds, and its client's keys."""

_LONGEST_WAIT: Final = 30
_HEARTBEAT: Final = 14.0
"""Seconds of silence on a stream, at most; contract.md 4 allows 15."""
_READING: Final = 1 / 14
"""The share of them in which a store may answer before a comment is written without it."""
_AGAIN: Final = 1.0
"""Seconds after a read that failed before a stream reads again: Redis may refuse at once."""
_COMMENT: Final = b":\n\n"
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)\"?\s*(?=[,;]|$)", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


async def read(request: web.Request, holder: Holder) -> web.Response:
    """Tell how a ticket stands; with `Prefer: wait=N` and a matching ETag, once that changes."""
    head, keys = holder
    status = request.app[TICKET_STATUS]
    ticket = await status.read(head)
    tags = _TAG.findall(listed(request, "If-None-Match"))
    view = _view(request, head, keys, ticket)
    if (seconds := _wait(request)) and _etag(view) in tags and not ticket.status.final:
        _refuse_body(request)
        with request.app[WAIT_LIMITER].poll(head.ticket, authentication.throttle_address(request), request):
            ticket = await status.wait_while(
                lambda ticket: _etag(_view(request, head, keys, ticket)) in tags,
                head,
                ticket,
                seconds=seconds,
                stop=request.app[DRAINING],
            )
        view = _view(request, head, keys, ticket)
    headers = {**NO_STORE, "ETag": _etag(view)}
    if headers["ETag"] in tags:
        return web.Response(status=304, headers=headers)
    return json_answer(_state(request, view), headers=headers)


async def stream(request: web.Request, holder: Holder) -> web.StreamResponse:
    """Tell how a ticket stands, now and whenever that changes, until it has ended.

    Once begun it goes on while a store is away, with comments alone. Thousands wait in here at once, so little is
    kept alive meanwhile (docs/benchmarks.md).
    """
    head, keys = holder
    _refuse_body(request)
    status, draining = request.app[TICKET_STATUS], request.app[DRAINING]
    ticket = await status.read(head)
    response = web.StreamResponse(headers={**NO_STORE, "Content-Type": "text/event-stream"})
    with request.app[WAIT_LIMITER].stream(head.ticket, authentication.throttle_address(request), request):
        try:
            await response.prepare(request)
            response.headers.clear()  # they are sent: a kilobyte less for as long as it waits
            told = await _tell(request, response, _view(request, head, keys, ticket))
            while not ticket.status.final and not draining.is_set():
                due = asyncio.get_running_loop().time() + _HEARTBEAT
                await status.changed(head, ticket, seconds=_beat())
                ticket = await _reread(request, response, head, ticket, due=due)
                told = await _tell(request, response, _view(request, head, keys, ticket), told=told)
        except ConnectionError:
            pass  # the browser left
    return response


async def cancel(request: web.Request, holder: Holder) -> None:
    """End a ticket as cancelled."""
    head, keys = holder
    await request.app[TICKET_STATUS].cancel(head, keys.client)


def _refuse_body(request: web.Request) -> None:
    """Return if nothing is sent to a door that waits: it would lie there, and hide that the browser has left.

    Raises:
        InvalidRequest: there is a body.
    """
    if request.body_exists:
        raise InvalidRequest("who waits sends no body")


def _beat() -> float:
    """Draw the seconds until a stream reads again, so that those who came at once do not wake at once."""
    return random.uniform(_HEARTBEAT / 2, _HEARTBEAT * (1 - _READING))  # noqa: S311 - no secret


async def _reread(
    request: web.Request, response: web.StreamResponse, head: TicketHeader, ticket: Ticket, *, due: float
) -> Ticket:
    """Return the ticket as it stands now, or *ticket* itself if a store is away.

    From *due* on, in the loop's time, comments are written meanwhile: a store that hangs must not silence the
    stream (contract.md 4). The task that writes them is made only then: as a rule a read takes a millisecond.
    """
    loop = asyncio.get_running_loop()
    commenting: list[asyncio.Task[None]] = []
    timer = loop.call_at(due, lambda: commenting.append(loop.create_task(_comment(response))))
    try:
        return await request.app[TICKET_STATUS].read(head)
    except StoreUnavailable:
        await asyncio.sleep(_AGAIN)
        return ticket
    finally:
        timer.cancel()
        for task in commenting:
            task.cancel()


async def _comment(response: web.StreamResponse) -> None:
    """Write comments until cancelled, or until the browser has left."""
    with suppress(ConnectionError):
        while True:
            await response.write(_COMMENT)
            await asyncio.sleep(_HEARTBEAT)


async def _tell(request: web.Request, response: web.StreamResponse, view: TicketView, *, told: str = "") -> str:
    """Write *view*, or a comment if it was *told* already; return what the page knows now.

    Apart from the loop, so that no text stays alive while a stream waits.
    """
    if (tag := _etag(view)) == told:
        await response.write(_COMMENT)
        return tag
    data = to_json(_state(request, view))
    await response.write(b"event: status\nid: %b\ndata: %b\n\n" % (tag.encode(), data))
    return tag


def _view(request: web.Request, head: TicketHeader, keys: ClientKeys, ticket: Ticket) -> TicketView:
    confirm = request.app[SETTINGS].clients[keys.client].confirm[head.purpose]
    return request.app[TICKET_STATUS].view(head, ticket, keys=keys, confirm=confirm)


def _etag(view: TicketView) -> str:
    """Stand for what the page is told, and for nothing that merely ages."""
    told = (view.status, view.match or "", view.outcome or "", view.reason or "", view.code or "")
    return f'"{hashlib.blake2s(" ".join(told).encode(), digest_size=9).hexdigest()}"'


def _wait(request: web.Request) -> int:
    """Return the seconds to hold the answer; 0 for not at all."""
    if "If-None-Match" not in request.headers:
        return 0
    found = _WAIT.search(listed(request, "Prefer"))
    if found is None:
        return 0
    digits = found[1].lstrip("0")
    return min(max(int(digits[:3] or 0), 1), _LONGEST_WAIT)


def _state(request: web.Request, view: TicketView) -> TicketState:
    head = view.head
    return TicketState(
        ticket=head.ticket,
        purpose=head.purpose,
        status=view.status,
        match=view.match,
        outcome=view.outcome,
        reason=view.reason,
        code=view.code,
        expires_at=head.expires_at,
        expires_in=seconds_left(head.expires_at, request.app[CLOCK]()),
        poll_after=POLL_AFTER,
    )
