"""Tickets from outside: made, followed by poll, long poll or stream, and cancelled (CONTRACT 4)."""

import asyncio
import hashlib
import random
import re
from contextlib import suppress
from typing import Any, Final

from aiohttp import web
from pydantic_core import to_json

from handlers.http import authentication, cors, request_body
from handlers.http.request_body import BindTicketRequest, LoginRequest
from handlers.http.responses import NO_STORE, json_answer, listed, moment, seconds_left
from handlers.tickets import qr_code
from models.binding import UserId
from models.errors import InvalidRequest, StoreUnavailable, Unauthorized
from models.requester import Requester, cleaned_requester
from models.scene import TicketHeader
from models.ticket import Ticket, Via
from service.app_keys import (
    CLOCK,
    DRAINING,
    METRICS,
    RATE_LIMITS,
    SETTINGS,
    TICKET_ISSUER,
    TICKET_STATUS,
    WAIT_LIMITER,
)
from service.crypto.keyring import ClientKeys
from service.tickets.factory import Issued
from service.tickets.issuer import BindOrder
from service.tickets.status import TicketView

POLL_AFTER: Final = 2
_LONGEST_WAIT: Final = 30
_HEARTBEAT: Final = 14.0
"""Seconds of silence on a stream, at most; CONTRACT 4 allows 15."""
_READING: Final = 1 / 14
"""The share of them in which a store may answer before a comment is written without it."""
_AGAIN: Final = 1.0
"""Seconds after a read that failed before a stream reads again: Redis may refuse at once."""
_COMMENT: Final = b":\n\n"
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)\"?\s*(?=[,;]|$)", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


async def create(request: web.Request) -> web.Response:
    """Make a ticket: 201, or 200 for a bind ticket that is given out again."""
    wanted = await request_body.read(request, request_body.TICKET)
    client, via = await _caller(request, wanted)
    requester = _requester(request, wanted, via)
    issuer = request.app[TICKET_ISSUER]
    match wanted:
        case LoginRequest():
            issued = await issuer.login(
                client, account=wanted.account, via=via, lang=wanted.lang, requester=requester
            )
        case BindTicketRequest():
            issued = await issuer.bind(
                BindOrder(
                    client,
                    UserId(wanted.user_id),
                    account=wanted.account,
                    session=wanted.session,
                    refresh=wanted.refresh,
                    lang=wanted.lang,
                    requester=requester,
                )
            )
    if issued.fresh:
        request.app[METRICS].tickets.labels(client, wanted.purpose, via).inc()
    return json_answer(shown_new(request, issued), status=201 if issued.fresh else 200)


async def read(request: web.Request) -> web.Response:
    """Tell how a ticket stands; with `Prefer: wait=N` and a matching ETag, once that changes."""
    head, keys = authentication.require_ticket_secret(request)
    ticket_status = request.app[TICKET_STATUS]
    ticket = await ticket_status.read(head)
    tags = _TAG.findall(listed(request, "If-None-Match"))
    view = _view(request, head, keys, ticket)
    if (seconds := _wait(request)) and _etag(view) in tags and not ticket.status.final:
        _refuse_body(request)
        until = asyncio.get_running_loop().time() + seconds
        with request.app[WAIT_LIMITER].poll(head.ticket, authentication.throttle_address(request), request):
            while _etag(view) in tags and not ticket.status.final:
                left = until - asyncio.get_running_loop().time()
                if left <= 0 or request.app[DRAINING].is_set():
                    break
                ticket = await ticket_status.wait(head, ticket, seconds=left)
                view = _view(request, head, keys, ticket)
    headers = {**NO_STORE, "ETag": _etag(view)}
    if headers["ETag"] in tags:
        return web.Response(status=304, headers=headers)
    return json_answer(_shown(request, view), headers=headers)


async def stream(request: web.Request) -> web.StreamResponse:
    """Tell how a ticket stands, now and whenever that changes, until it has ended.

    Once begun it goes on while a store is away, with comments alone. Thousands wait in here at once, so little is
    kept alive meanwhile (docs/benchmarks.md).
    """
    head, keys = authentication.require_ticket_secret(request)
    _refuse_body(request)
    ticket_status, draining = request.app[TICKET_STATUS], request.app[DRAINING]
    ticket = await ticket_status.read(head)
    response = web.StreamResponse(headers={**NO_STORE, "Content-Type": "text/event-stream"})
    with request.app[WAIT_LIMITER].stream(head.ticket, authentication.throttle_address(request), request):
        try:
            await response.prepare(request)
            response.headers.clear()  # they are sent: a kilobyte less for as long as it waits
            told = await _tell(request, response, _view(request, head, keys, ticket))
            while not ticket.status.final and not draining.is_set():
                due = asyncio.get_running_loop().time() + _HEARTBEAT
                await ticket_status.changed(head, ticket, seconds=_beat())
                ticket = await _reread(request, response, head, ticket, due=due)
                told = await _tell(request, response, _view(request, head, keys, ticket), told=told)
        except ConnectionError:
            pass  # the browser left
    return response


async def cancel(request: web.Request) -> web.Response:
    """End a ticket as cancelled."""
    head, keys = authentication.require_ticket_secret(request)
    await request.app[TICKET_STATUS].cancel(head, keys.client)
    return web.Response(status=204, headers=NO_STORE)


async def _caller(request: web.Request, wanted: LoginRequest | BindTicketRequest) -> tuple[str, Via]:
    """Return whose ticket it will be and who started it; credentials win over an origin."""
    client = authentication.basic_client(request)
    if client is not None:
        if wanted.client_id not in (None, client):
            raise InvalidRequest("client_id: not the client of these credentials")
        cors.only(request, request.app[SETTINGS].clients[client].origins)
        return client, Via.BACKEND
    if isinstance(wanted, BindTicketRequest) or "Origin" not in request.headers:
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    if wanted.client_id is None:
        raise InvalidRequest("client_id: is missing")
    client = authentication.require_origin(request, wanted.client_id)
    await request.app[RATE_LIMITS].page_starts(client=client, address=authentication.address(request))
    return client, Via.PAGE


def _requester(request: web.Request, wanted: LoginRequest | BindTicketRequest, via: Via) -> Requester:
    if isinstance(wanted, LoginRequest) and via is Via.PAGE:
        if wanted.visitor:
            raise InvalidRequest("visitor: only a back end may say who its visitor is")
        agent = request.headers.get("User-Agent")
        return cleaned_requester(ip=authentication.address(request), user_agent=agent, state=wanted.state)
    ip, agent = (wanted.visitor.ip, wanted.visitor.user_agent) if wanted.visitor else (None, None)
    if isinstance(wanted, LoginRequest):
        return cleaned_requester(ip=ip, user_agent=agent, state=wanted.state)
    return cleaned_requester(ip=ip, user_agent=agent, account_name=wanted.account_name)


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
    stream (CONTRACT 4). The task that writes them is made only then: as a rule a read takes a millisecond.
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
    data = to_json(_shown(request, view))
    await response.write(b"event: status\nid: %b\ndata: %b\n\n" % (tag.encode(), data))
    return tag


def _view(request: web.Request, head: TicketHeader, keys: ClientKeys, ticket: Ticket) -> TicketView:
    confirm = request.app[SETTINGS].clients[keys.client].confirm[head.purpose]
    return request.app[TICKET_STATUS].view(head, ticket, keys=keys, confirm=confirm)


def _etag(view: TicketView) -> str:
    """Stand for what the page is told, and for nothing that merely ages."""
    told = (view.status, view.match or "", view.outcome or "", view.reason or "", view.code or "")
    return f'"{hashlib.blake2s(" ".join(told).encode(), digest_size=9).hexdigest()}"'


def _shown(request: web.Request, view: TicketView) -> dict[str, Any]:
    head = view.head
    return {
        "ticket": head.ticket,
        "purpose": head.purpose.value,  # text is written faster than a member of an enum
        "status": view.status.value,
        "match": view.match,
        "outcome": view.outcome,
        "reason": view.reason,
        "code": view.code,
        "expires_at": moment(head.expires_at),
        "expires_in": seconds_left(head.expires_at, request.app[CLOCK]()),
        "poll_after": POLL_AFTER,
    }


def shown_new(request: web.Request, issued: Issued) -> dict[str, Any]:
    """Return a ticket as whoever made it is told of it, its secret included."""
    head = issued.head
    return {
        "ticket": head.ticket,
        "secret": issued.secret,
        "purpose": head.purpose,
        "status": "pending",
        "account": issued.account,
        **qr_code.addresses(request, issued.qr_url, head.expires_at),
        "created_at": moment(issued.created_at),
        "expires_at": moment(head.expires_at),
        "expires_in": seconds_left(head.expires_at, issued.created_at if issued.fresh else request.app[CLOCK]()),
        "poll_after": POLL_AFTER,
    }


def _wait(request: web.Request) -> int:
    """Return the seconds to hold the answer; 0 for not at all."""
    if "If-None-Match" not in request.headers:
        return 0
    found = _WAIT.search(listed(request, "Prefer"))
    if found is None:
        return 0
    digits = found[1].lstrip("0")
    return min(max(int(digits[:3] or 0), 1), _LONGEST_WAIT)
