"""Renders the state of a ticket for polls and events: its ETag, and its JSON from a template.

Tickets are in one of a few states, and to validate and serialize one takes as long as all else of an event.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from aiohttp import web

from handlers.http.authentication import Holder
from handlers.http.responses import seconds_left, to_json
from handlers.tickets.schemas import POLL_AFTER, TicketState
from models.method import Method
from models.scene import TicketHeader
from models.ticket import Outcome, Purpose, Reason, Status, Ticket
from models.timestamps import rfc3339
from service.app_keys import CLOCK, SETTINGS, TICKET_STATUS
from service.tickets.status import TicketView

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_EXPIRY: Final = b'"expires_at":"%b","expires_in":%%d,'
_EXPIRED: Final = _EXPIRY.replace(b"%%d", b"0") % rfc3339(_EPOCH).encode()


class Answer(NamedTuple):
    """What polls and streams of a ticket in one state get."""

    tag: str
    """The ETag without quotes."""
    body: bytes
    """JSON with `%d` for the seconds left, which change."""


def view_of(app: web.Application, holder: Holder, ticket: Ticket) -> TicketView:
    """Return what the page may read of *ticket*, by the settings of *app*."""
    head, keys = holder
    confirm = app[SETTINGS].clients[keys.client].confirm[head.purpose]
    return app[TICKET_STATUS].view(head, ticket, keys=keys, confirm=confirm)


def left(app: web.Application, head: TicketHeader) -> int:
    """Return the seconds until a ticket expires."""
    return seconds_left(head.expires_at, app[CLOCK]())


def tag_of(view: TicketView) -> str:
    """Return the ETag of a view without quotes, computed from all fields that change except the seconds left."""
    fields = (view.status, view.match or "", view.outcome or "", view.reason or "", view.code or "")
    return hashlib.blake2s(" ".join(fields).encode(), digest_size=9).hexdigest()


def answer_of(view: TicketView) -> Answer:
    """Return the answer that shows *view*."""
    head = view.head
    coded = () if view.code is None else (view.code.encode(),)
    template = _template(
        head.purpose,
        head.method,
        view.status,
        match=view.match,
        outcome=view.outcome,
        reason=view.reason,
        coded=bool(coded),
    )
    return Answer(tag_of(view), template % (head.ticket.encode(), *coded, rfc3339(head.expires_at).encode()))


@lru_cache(maxsize=1024)
def _template(
    purpose: Purpose,
    method: Method,
    status: Status,
    *,
    match: str | None,
    outcome: Outcome | None,
    reason: Reason | None,
    coded: bool,
) -> bytes:
    """Return the JSON of a state, with `%b` for what each ticket has of its own, of which JSON escapes nothing."""
    state = TicketState(
        ticket="%b",
        purpose=purpose,
        method=method,
        status=status,
        match=match,
        outcome=outcome,
        reason=reason,
        code="%b" if coded else None,
        expires_at=_EPOCH,
        expires_in=0,
        poll_after=POLL_AFTER,
    )
    return to_json(state).replace(_EXPIRED, _EXPIRY)
