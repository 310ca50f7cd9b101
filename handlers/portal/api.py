"""The portal's data: a site's back end starts a visit, and the account holder looks, binds and disconnects."""

from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from handlers.http import authentication, cors, request_body
from handlers.http.responses import NO_STORE, json_answer, moment, seconds_left
from handlers.portal import cookie
from handlers.tickets import status
from models.binding import Binding, ChangeSource, UserId
from models.errors import BindingNotFound, InvalidRequest, SessionNotFound
from models.portal import LINK_LIVES, SESSION_LIVES, PortalSession, request_session
from models.requester import cleaned_requester
from models.ticket import Purpose, Via
from service.app_keys import BINDINGS, CLOCK, METRICS, PORTAL_SESSIONS, RATE_LIMITS, SETTINGS, TICKET_ISSUER
from service.bindings.repository import Entry
from service.tickets.issuer import BindOrder

_RECENT: Final = 10
"""Lines of the history that are told."""


async def create(request: web.Request) -> web.Response:
    """Make a link that opens the portal for one user, once."""
    client = authentication.require_client(request)
    wanted = await request_body.read(request, request_body.PORTAL)
    link = await request.app[PORTAL_SESSIONS].start(
        client,
        UserId(wanted.user_id),
        account_name=wanted.account_name,
        return_url=wanted.return_url,
        only_login=wanted.only_login,
        lang=wanted.lang,
    )
    url = f"{request.app[SETTINGS].server.public_url}/portal/open/{link.token}"
    return json_answer(
        {"url": url, "token": link.token, "expires_in": int(LINK_LIVES.total_seconds())}, status=201
    )


async def open_(request: web.Request) -> web.Response:
    """Open the link from within a page of the site: its token, once, for the session's secret."""
    token = authentication.bearer(request, "the link's token")
    session = await request.app[PORTAL_SESSIONS].linked(token)
    if session is None or session.id != request.match_info["session"]:
        raise SessionNotFound("unknown session, or not its token")
    cors.only(request, request.app[SETTINGS].clients[session.client].origins)
    opened = await request.app[PORTAL_SESSIONS].open(session)
    if opened is None:
        raise SessionNotFound("this link was opened before, or it is too late")
    return json_answer({"secret": opened.secret, "expires_in": int(SESSION_LIVES.total_seconds())})


async def read(request: web.Request) -> web.Response:
    """Tell what is bound, what may be bound, and what was done recently."""
    session = await authentication.require_portal_session(request)
    bindings = await request.app[BINDINGS].of_user(session.client, session.user_id)
    history = await request.app[BINDINGS].history(session.client, session.user_id, limit=_RECENT)
    accounts = request.app[SETTINGS].clients[session.client].accounts
    return json_answer(
        {
            **_visit(request, session),
            "first_visit": await request.app[PORTAL_SESSIONS].is_first(session),
            "accounts": list(accounts),
            "bindings": [_binding(one) for one in bindings],
            "history": [_entry(one) for one in history],
        }
    )


async def bind(request: web.Request) -> web.Response:
    """Make a bind ticket for the page to show: 201, or 200 when it is given out again."""
    session = await authentication.require_portal_session(request)
    wanted = await request_body.read(request, request_body.PORTAL_TICKET)
    address, agent = authentication.address(request), request.headers.get("User-Agent")
    await request.app[RATE_LIMITS].page_starts(client=session.client, address=address)
    issued = await request.app[TICKET_ISSUER].bind(
        BindOrder(
            session.client,
            session.user_id,
            account=wanted.account,
            session=request_session(session.id),
            lang=session.lang,
            requester=cleaned_requester(ip=address, user_agent=agent, account_name=session.account_name),
        )
    )
    if issued.fresh:
        request.app[METRICS].tickets.labels(session.client, Purpose.BIND, Via.PAGE).inc()
    return json_answer(status.shown_new(request, issued), status=201 if issued.fresh else 200)


async def disconnect(request: web.Request) -> web.Response:
    """Disconnect the account holder from one account."""
    session = await authentication.require_portal_session(request)
    account, now = request.match_info["account"], request.app[CLOCK]()
    removed = request_body.could_name(account) and await request.app[BINDINGS].disconnect(
        session.client, session.user_id, account=account, source=ChangeSource.PORTAL, now=now
    )
    if not removed:
        raise BindingNotFound("there is no such binding")
    return web.Response(status=204, headers=NO_STORE)


async def close(request: web.Request) -> web.Response:
    """End the session, and with it the code that it shows."""
    session = await authentication.require_portal_session(request)
    await request.app[PORTAL_SESSIONS].close(session)
    await request.app[TICKET_ISSUER].withdraw(session.client, session.user_id, request_session(session.id))
    response = web.Response(status=204, headers=NO_STORE)
    cookie.drop(request, response, session)
    return response


async def close_all(request: web.Request) -> web.Response:
    """End all visits of one user, and withdraw what they show: they signed out, or somebody else signed in."""
    client, user_id = authentication.require_client(request), _user_id(request)
    for session_id in await request.app[PORTAL_SESSIONS].close_all(client, user_id):
        await request.app[TICKET_ISSUER].withdraw(client, user_id, request_session(session_id))
    return web.Response(status=204, headers=NO_STORE)


def _user_id(request: web.Request) -> UserId:
    try:  # aiohttp would let bytes that are no text stand for the id that is written like them
        given = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, errors="strict")
    except ValueError as e:
        raise InvalidRequest("user_id: must be UTF-8") from e
    if [name for name, _ in given] != ["user_id"]:
        raise InvalidRequest("the query must hold user_id, once, and nothing else")
    return UserId(request_body.check(request_body.USER_ID, given[0][1], name="user_id"))


def _visit(request: web.Request, session: PortalSession) -> dict[str, Any]:
    client = request.app[SETTINGS].clients[session.client]
    return {
        "site": {lang.value: name for lang, name in client.name.items()},
        "account_name": session.account_name,
        "return_url": session.return_url,
        "only_login": session.only_login,
        "lang": session.lang,
        "expires_in": seconds_left(session.ends_at, request.app[CLOCK]()),
    }


def _binding(binding: Binding) -> dict[str, Any]:
    return {
        "account": binding.account,
        "bound_at": moment(binding.bound_at),
        "last_login_at": moment(binding.last_login_at),
        "subscribed": binding.subscribed,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {"change": entry.change, "account": entry.account, "at": moment(entry.at)}
