"""Reads a ticket's status by poll, long poll or event stream, and cancels tickets (contract.md 4)."""

import asyncio
import hashlib
import math
import random
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import HttpVersion11, web

from handlers.http import authentication
from handlers.http.entity_tags import known_tags
from handlers.http.responses import STREAMED, UNALTERED, json_answer, listed, seconds_left, to_json
from handlers.tickets import repeated_polls
from handlers.tickets.create import POLL_AFTER
from handlers.tickets.repeated_polls import Holder
from handlers.tickets.schemas import TicketState
from models.errors import InvalidRequest, StoreUnavailable
from models.scene import TicketHeader
from models.ticket import Ticket
from service.app_keys import CLOCK, CURRENT, DRAINING, OPEN_REQUESTS, SETTINGS, TICKET_STATUS, WAIT_LIMITER
from service.crypto.keyring import ClientKeys
from service.rate_limiting.open_waits import WaitLimiter
from service.tickets.status import TicketView

_LONGEST_WAIT: Final = 30
_HEARTBEAT: Final = 14.0
"""Maximum seconds of silence on a stream; contract.md 4 allows 15."""
_READING: Final = 1 / 14
"""Share of the heartbeat reserved for reading; during a longer read, comments are sent."""
_FIRST, _LATER = 1 / 2, 1 - 2 * _READING
"""Shares of the heartbeat before which no stream acts for the first time, and again."""
_TICKS: Final = (1 / 140, 2 / 140, 4 / 140, 8 / 140)
"""Streams act only at multiples of one of these shares of the heartbeat: the first at which enough act at once."""
_ENOUGH: Final = 8
_AGAIN: Final = 1.0
"""Seconds that a stream waits after a failed read: Redis may refuse connections at once."""
_COMMENT: Final = b":\n\n"
_CHUNK_OF_COMMENT: Final = b"%x\r\n%b\r\n" % (len(_COMMENT), _COMMENT)
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)\"?\s*(?=[,;]|$)", re.IGNORECASE)


async def read(request: web.Request, holder: Holder) -> web.Response:
    """Return a ticket's state; with `Prefer: wait=N` and a matching ETag, wait for a change."""
    head, keys = holder
    status, waits = request.app[TICKET_STATUS], request.app[WAIT_LIMITER]
    ticket = await status.read(head)
    view = _view(request.app, head, keys, ticket)
    tag = _tag(view)
    # `*` names no state that the caller has seen: with it a final state must be sent, and not 304.
    known = same = known_tags(request, current=None if ticket.status.final else tag)
    seconds = 0 if ticket.status.final else _wait(request)
    if seconds and tag not in known and waits.repeats(head.ticket, tag):
        same, seconds = frozenset((tag,)), POLL_AFTER
    if seconds and tag in same:
        _refuse_body(request)
        with waits.poll(head.ticket, _address(request), request):
            ticket = await status.wait_while(
                lambda ticket: _tag(_view(request.app, head, keys, ticket)) in same,
                head,
                ticket,
                seconds=seconds,
                stop=request.app[DRAINING],
            )
        view = _view(request.app, head, keys, ticket)
        tag = _tag(view)
    state = _state(request, view)
    if not ticket.status.final:
        repeated_polls.remember(request.app, ticket, holder, tag=tag, state=state)
    headers = {**UNALTERED, "ETag": f'"{tag}"'}
    if tag in known:
        return web.Response(status=304, headers=headers)
    return json_answer(state, headers=headers)


async def stream(request: web.Request, holder: Holder) -> web.StreamResponse:
    """Stream a ticket's state, now and after each change, until the ticket ends.

    While a store is unreachable, a started stream sends comments only. After a reload it continues with the new
    settings, or ends if they do not let its caller read the ticket. Thousands wait here at once, so each keeps
    little memory (docs/benchmarks.md).
    """
    head, keys = holder
    _refuse_body(request)
    app = request.app
    ticket = await app[TICKET_STATUS].read(head)
    response, waits = _Stream(headers=STREAMED), app[WAIT_LIMITER]
    with waits.stream(head.ticket, _address(request), request):
        try:
            await response.prepare(request)
            response.headers.clear()  # already serialized: saves a kilobyte while the stream waits
            sent = await _send(request, response, _view(app, head, keys, ticket))
            app[OPEN_REQUESTS].leave(request)  # the application may be replaced while the stream goes on
            while not ticket.status.final:
                due = asyncio.get_running_loop().time() + _HEARTBEAT
                if not app[DRAINING].is_set():
                    first, meanwhile = _time_to_act(waits.waiting, soonest=_FIRST), _Comment(request, waits)
                    await app[TICKET_STATUS].changed(head, ticket, seconds=first, meanwhile=meanwhile)
                if (current := _current(request, app, holder)) is None:
                    break
                app = current
                ticket = await _reread(app, response, head, ticket, due=due)
                sent = await _send(request, response, _view(app, head, keys, ticket), sent=sent)
        except ConnectionError:
            pass  # the browser disconnected
    return response


async def cancel(request: web.Request, holder: Holder) -> None:
    """Cancel a ticket."""
    head, keys = holder
    await request.app[TICKET_STATUS].cancel(head, keys.client)


def _current(request: web.Request, app: web.Application, holder: Holder) -> web.Application | None:
    """Return the application from which a stream reads on: *app* until a reload replaces it; None to end it."""
    if not app[DRAINING].is_set():
        return app
    current = app[CURRENT]()
    goes_on = not current[DRAINING].is_set() and authentication.may_read_on(request, app, current, holder)
    return current if goes_on else None


def _address(request: web.Request) -> str | None:
    return authentication.throttle_address(request, request.app[SETTINGS].server)


def _refuse_body(request: web.Request) -> None:
    """Reject a request body on endpoints that wait: unread, it would hide that the browser disconnects.

    Raises:
        InvalidRequest: there is a body.
    """
    if request.body_exists:
        raise InvalidRequest("this request must not have a body")


def _time_to_act(streams: int, *, soonest: float) -> float:
    """Return random seconds until a stream acts; *soonest* is a share of the heartbeat.

    They end at a tick of the loop's clock. To wake the process takes several times as long as to write a comment,
    so it is woken once for all streams that act at one tick. The fewer *streams* wait, the longer is a tick; each
    is a multiple of the shorter ones, so that streams share ticks whose number was another when they were opened.
    """
    tick = _HEARTBEAT * next((tick for tick in _TICKS if streams * tick >= _ENOUGH), _TICKS[-1])
    now = asyncio.get_running_loop().time()
    then = now + _HEARTBEAT * random.uniform(soonest, 1 - _READING)  # noqa: S311 - no secret
    return math.ceil(then / tick) * tick - now


class _Stream(web.StreamResponse):
    """A response whose head is sent with the first event."""

    _send_headers_immediately = False  # aiohttp's own responses with a body set it as well


@dataclass(frozen=True, slots=True)
class _Comment:
    """Writes a comment, and returns the seconds until the next; 0 if the browser has disconnected.

    A timer calls it: waking the stream's task for each comment would take several times as long.
    """

    request: web.Request
    waits: WaitLimiter

    def __call__(self) -> float:
        transport = self.request.transport
        if transport is None:
            return 0.0
        transport.write(_CHUNK_OF_COMMENT if self.request.version >= HttpVersion11 else _COMMENT)
        return _time_to_act(self.waits.waiting, soonest=_LATER)


async def _reread(
    app: web.Application, response: web.StreamResponse, head: TicketHeader, ticket: Ticket, *, due: float
) -> Ticket:
    """Return the current ticket, or *ticket* itself if a store is unreachable.

    From *due* on (the loop's time) comments are sent during the read: a store that hangs must not silence the
    stream (contract.md 4). Their task starts only then, since most reads take a millisecond.
    """
    loop = asyncio.get_running_loop()
    commenting: list[asyncio.Task[None]] = []
    timer = loop.call_at(due, lambda: commenting.append(loop.create_task(_comment(response))))
    try:
        return await app[TICKET_STATUS].read(head)
    except StoreUnavailable:
        await asyncio.sleep(_AGAIN)
        return ticket
    finally:
        timer.cancel()
        for task in commenting:
            task.cancel()


async def _comment(response: web.StreamResponse) -> None:
    """Write comments until cancelled, or until the browser disconnects."""
    with suppress(ConnectionError):
        while True:
            await response.write(_COMMENT)
            await asyncio.sleep(_HEARTBEAT)


async def _send(request: web.Request, response: web.StreamResponse, view: TicketView, *, sent: str = "") -> str:
    """Write *view* as an event, or a comment if its tag is that of the last event, *sent*; return its tag.

    The event of a final state ends the response. A separate function, so that its texts are freed while a stream
    waits.
    """
    if (tag := _tag(view)) == sent:
        await response.write(_COMMENT)
        return tag
    event = b'event: status\nid: "%b"\ndata: %b\n\n' % (tag.encode(), to_json(_state(request, view)))
    await (response.write_eof if view.status.final else response.write)(event)
    return tag


def _view(app: web.Application, head: TicketHeader, keys: ClientKeys, ticket: Ticket) -> TicketView:
    confirm = app[SETTINGS].clients[keys.client].confirm[head.purpose]
    return app[TICKET_STATUS].view(head, ticket, keys=keys, confirm=confirm)


def _tag(view: TicketView) -> str:
    """Return the ETag of a view without quotes, computed from all fields that change except the seconds left."""
    fields = (view.status, view.match or "", view.outcome or "", view.reason or "", view.code or "")
    return hashlib.blake2s(" ".join(fields).encode(), digest_size=9).hexdigest()


def _wait(request: web.Request) -> int:
    """Return for how many seconds the caller would wait; 0 to be answered at once."""
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
        method=head.method,
        status=view.status,
        match=view.match,
        outcome=view.outcome,
        reason=view.reason,
        code=view.code,
        expires_at=head.expires_at,
        expires_in=seconds_left(head.expires_at, request.app[CLOCK]()),
        poll_after=POLL_AFTER,
    )
