"""Streams the states of a ticket as events, with comments in between (contract.md 4)."""

import asyncio
import math
import random
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiohttp import HttpVersion11, web

from handlers.http import authentication
from handlers.http.authentication import Holder
from handlers.http.responses import STREAMED
from handlers.tickets.answers import Answer, answer_of, left, tag_of, view_of
from handlers.tickets.status import refuse_body
from models.errors import StoreUnavailable
from models.scene import TicketHeader
from models.ticket import Ticket
from service.app_keys import CURRENT, DRAINING, OPEN_REQUESTS, SETTINGS, TICKET_STATUS, WAIT_LIMITER
from service.rate_limiting.open_waits import Slot, WaitLimiter

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


class Opening(NamedTuple):
    """What a stream begins with."""

    app: web.Application
    ticket: Ticket
    answer: Answer
    response: web.StreamResponse
    slot: Slot


def stream(request: web.Request, holder: Holder) -> Awaitable[web.StreamResponse]:
    """Stream a ticket's state, now and after each change, until the ticket ends."""
    # Not a coroutine: thousands of streams wait inside, and each would keep one more frame.
    return follow(request, holder)


async def follow(request: web.Request, holder: Holder, opening: Opening | None = None) -> web.StreamResponse:
    """Send a ticket's state, which *opening* begins with, and each change, until the ticket ends.

    While a store is unreachable, a started stream sends comments only. After a reload it continues with the new
    settings, or ends if they do not let its caller read the ticket. Thousands wait here at once, so each keeps
    little memory (docs/benchmarks.md).
    """
    head, _ = holder
    app, ticket, answer, response, slot = opening or await _opening(request, holder)
    opening, waits = None, app[WAIT_LIMITER]
    with slot:
        try:
            await response.prepare(request)
            response.headers.clear()  # already serialized: saves a kilobyte while the stream waits
            sent = await _send(app, response, head, answer, last=ticket.status.final)
            del answer
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
                sent = await _update(app, response, holder, ticket, sent=sent)
        except ConnectionError:
            pass  # the browser disconnected
        except Exception:
            if request.transport:
                request.transport.abort()  # no other response can follow what was sent
            raise
    return response


async def _opening(request: web.Request, holder: Holder) -> Opening:
    refuse_body(request)
    (head, _), app = holder, request.app
    ticket = await app[TICKET_STATUS].read(head)
    answer = answer_of(view_of(app, holder, ticket))
    return Opening(app, ticket, answer, _Stream(headers=STREAMED), place(request, head, app))


def place(request: web.BaseRequest, head: TicketHeader, app: web.Application) -> Slot:
    """Allocate the place in which a stream of *head*'s ticket waits. Raises RateLimited."""
    address = authentication.throttle_address(request, app[SETTINGS].server)
    return app[WAIT_LIMITER].stream(head.ticket, address, request)


def _current(request: web.Request, app: web.Application, holder: Holder) -> web.Application | None:
    """Return the application from which a stream reads on: *app* until a reload replaces it; None to end it."""
    if not app[DRAINING].is_set():
        return app
    current = app[CURRENT]()
    goes_on = not current[DRAINING].is_set() and authentication.may_read_on(request, app, current, holder)
    return current if goes_on else None


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


async def _update(
    app: web.Application, response: web.StreamResponse, holder: Holder, ticket: Ticket, *, sent: str
) -> str:
    """Write the state of *ticket* as an event, or a comment if *sent* is its tag; return the tag.

    A separate function, so that its texts are freed while a stream waits.
    """
    view = view_of(app, holder, ticket)
    if tag_of(view) == sent:
        await response.write(_COMMENT)
        return sent
    return await _send(app, response, holder[0], answer_of(view), last=view.status.final)


async def _send(
    app: web.Application, response: web.StreamResponse, head: TicketHeader, answer: Answer, *, last: bool
) -> str:
    """Write *answer* as an event; return its tag. The *last* event ends the response."""
    event = b'event: status\nid: "%b"\ndata: %b\n\n' % (answer.tag.encode(), answer.body % left(app, head))
    await (response.write_eof if last else response.write)(event)
    return answer.tag
