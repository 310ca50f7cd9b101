"""Reads a ticket's status by poll or long poll, and cancels tickets (contract.md 4)."""

import re
from typing import Final

from aiohttp import web

from handlers.http import authentication
from handlers.http.authentication import Holder
from handlers.http.entity_tags import known_tags
from handlers.http.operation import JSON
from handlers.http.responses import UNALTERED, listed
from handlers.tickets import notes
from handlers.tickets.answers import answer_of, left, tag_of, view_of
from handlers.tickets.schemas import POLL_AFTER
from models.errors import InvalidRequest
from service.app_keys import DRAINING, SETTINGS, TICKET_STATUS, WAIT_LIMITER

_LONGEST_WAIT: Final = 30
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)\"?\s*(?=[,;]|$)", re.IGNORECASE)


async def read(request: web.Request, holder: Holder) -> web.Response:
    """Return a ticket's state; with `Prefer: wait=N` and a matching ETag, wait for a change."""
    (head, _), app = holder, request.app
    status, waits = app[TICKET_STATUS], app[WAIT_LIMITER]
    ticket = await status.read(head)
    tag = tag_of(view_of(app, holder, ticket))
    # `*` names no state that the caller has seen: with it a final state must be sent, and not 304.
    known = same = known_tags(request, current=None if ticket.status.final else tag)
    seconds = 0 if ticket.status.final else _wait(request)
    if seconds and tag not in known and waits.repeats(head.ticket, tag):
        same, seconds = frozenset((tag,)), POLL_AFTER
    if seconds and tag in same:
        refuse_body(request)
        with waits.poll(head.ticket, authentication.throttle_address(request, app[SETTINGS].server), request):
            ticket = await status.wait_while(
                lambda ticket: tag_of(view_of(app, holder, ticket)) in same,
                head,
                ticket,
                seconds=seconds,
                stop=app[DRAINING],
            )
    answer = answer_of(view_of(app, holder, ticket))
    notes.leave(app, ticket, holder, answer)
    headers = {**UNALTERED, "ETag": f'"{answer.tag}"'}
    if answer.tag in known:
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.body % left(app, head), content_type=JSON, headers=headers)


async def cancel(request: web.Request, holder: Holder) -> None:
    """Cancel a ticket."""
    head, keys = holder
    await request.app[TICKET_STATUS].cancel(head, keys.client)


def refuse_body(request: web.Request) -> None:
    """Reject a request body on endpoints that wait: unread, it would hide that the browser disconnects.

    Raises:
        InvalidRequest: there is a body.
    """
    if request.body_exists:
        raise InvalidRequest("this request must not have a body")


def _wait(request: web.Request) -> int:
    """Return for how many seconds the caller would wait; 0 to be answered at once."""
    found = _WAIT.search(listed(request, "Prefer"))
    if found is None:
        return 0
    digits = found[1].lstrip("0")
    return min(max(int(digits[:3] or 0), 1), _LONGEST_WAIT)
