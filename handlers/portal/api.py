"""The portal's API: a site's back end makes a link, and the account holder views, binds and disconnects."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from handlers.http import authentication, cors, request_body
from handlers.http.operation import Created
from handlers.http.profiles import shown_profiles
from handlers.http.responses import NO_STORE, seconds_left
from handlers.http.schemas import USER_ID, Profile
from handlers.portal import cookie, schemas
from handlers.tickets.create import ticket_answer
from handlers.tickets.schemas import TicketMade
from models.binding import Binding, ChangeSource, UserId
from models.errors import BindingNotFound, InvalidRequest, SessionNotFound
from models.language import Lang
from models.method import KINDS, REDIRECTS
from models.portal import LINK_LIVES, SESSION_LIVES, PortalSession, request_session
from models.requester import cleaned_requester
from models.ticket import Via
from models.web_authorization import ReturnTo
from service.app_keys import BINDINGS, CLOCK, PORTAL_SESSIONS, RATE_LIMITS, SETTINGS, TICKET_ISSUER
from service.config.settings import Settings
from service.tickets.issuer import BindOrder

_RECENT: Final = 10
"""Entries of the history in a view."""


async def create(request: web.Request, client: str, wanted: schemas.PortalRequest) -> Created:
    """Create a link that opens the portal for one user, once."""
    link = await request.app[PORTAL_SESSIONS].start(
        client,
        UserId(wanted.user_id),
        account_name=wanted.account_name,
        return_url=wanted.return_url,
        only_login=wanted.only_login,
        lang=wanted.lang,
    )
    url = f"{request.app[SETTINGS].server.public_url}/portal/open/{link.token}"
    return Created(schemas.PortalLink(url=url, token=link.token, expires_in=int(LINK_LIVES.total_seconds())))


async def open_(request: web.Request, token: str) -> schemas.PortalOpened:
    """Exchange a link's token, once, for the session's secret, from within a page of the site."""
    session = await request.app[PORTAL_SESSIONS].linked(token)
    if session is None or session.id != request.match_info["session"]:
        raise SessionNotFound("unknown session, or the token is not this session's")
    cors.only(request, request.app[SETTINGS].clients[session.client].origins)
    opened = await request.app[PORTAL_SESSIONS].open(session)
    if opened is None:
        raise SessionNotFound("this link was opened before or has expired")
    return schemas.PortalOpened(secret=opened.secret, expires_in=int(SESSION_LIVES.total_seconds()))


async def read(request: web.Request, session: PortalSession) -> schemas.PortalView:
    """Return the user's bindings, the accounts that can be bound, and the recent history."""
    bindings = await request.app[BINDINGS].of_user(session.client, session.user_id)
    history = await request.app[BINDINGS].history(session.client, session.user_id, limit=_RECENT)
    people = [(one.account, one.openid) for one in bindings]
    profiles = await shown_profiles(request, session.client, people)
    settings = request.app[SETTINGS]
    client = settings.clients[session.client]
    accounts = [name for name in client.accounts if settings.accounts[name].api]
    return schemas.PortalView(
        site=schemas.SiteName(zh=client.name[Lang.ZH], en=client.name[Lang.EN]),
        account_name=session.account_name,
        return_url=session.return_url,
        only_login=session.only_login,
        lang=session.lang,
        expires_in=seconds_left(session.ends_at, request.app[CLOCK]()),
        profiles=client.profile,
        first_visit=await request.app[PORTAL_SESSIONS].is_first(session),
        accounts=accounts or ([] if authentication.has_bearer(request) else list(client.apps)),
        bindings=[_shown(one, settings, profiles.get((one.account, one.openid))) for one in bindings],
        history=[schemas.PortalEntry.model_validate(one) for one in history],
    )


def _shown(binding: Binding, settings: Settings, profile: Profile | None) -> schemas.PortalBinding:
    account = settings.accounts.get(binding.account)
    return schemas.PortalBinding(
        kind=KINDS[binding.method],
        account=binding.account,
        label=binding.label,
        bound_at=binding.bound_at,
        last_login_at=binding.last_login_at,
        subscribed=binding.subscribed,
        profile=profile,
        ends_on_unfollow=account is not None and account.unfollow == "erase",
    )


async def bind(
    request: web.Request, session: PortalSession, wanted: schemas.PortalTicketRequest
) -> TicketMade | Created:
    """Create a bind ticket for the page to show: 201, or 200 for one that is still pending.

    Redirects are for the portal's own page: its cookie proves the browser that goes to WeChat. They come last,
    because they do not belong to the account whose row shows them.
    """
    address, agent = authentication.address(request), request.headers.get("User-Agent")
    await request.app[RATE_LIMITS].page_starts(client=session.client, address=address)
    settings, hosted = request.app[SETTINGS], not authentication.has_bearer(request)
    offered = settings.clients[session.client].methods
    usable = [method for method in offered if hosted or method not in REDIRECTS]
    methods = sorted(usable, key=REDIRECTS.__contains__)
    if not methods or (wanted.method or methods[0]) not in methods:
        raise InvalidRequest("method: not one of those that this page can use")
    instead = None if methods[0] is offered[0] else methods[0]
    home = f"{settings.server.public_url}/portal/{session.id}"
    issued = await request.app[TICKET_ISSUER].bind(
        BindOrder(
            session.client,
            session.user_id,
            method=wanted.method or instead,
            account=wanted.account,
            session=request_session(session.id),
            back=ReturnTo(home, "", portal=session.id) if hosted else None,
            lang=session.lang,
            requester=cleaned_requester(ip=address, user_agent=agent, account_name=session.account_name),
        )
    )
    return ticket_answer(request, issued, client=session.client, via=Via.PAGE, methods=methods)


async def disconnect(request: web.Request, session: PortalSession) -> None:
    """Disconnect the account holder from one account."""
    account, now = request.match_info["account"], request.app[CLOCK]()
    removed = request_body.could_name(account) and await request.app[BINDINGS].disconnect(
        session.client, session.user_id, account=account, source=ChangeSource.PORTAL, now=now
    )
    if not removed:
        raise BindingNotFound("there is no such binding")


async def close(request: web.Request, session: PortalSession) -> web.Response:
    """End the session, and cancel the bind ticket that it shows."""
    await request.app[PORTAL_SESSIONS].close(session)
    await request.app[TICKET_ISSUER].withdraw(session.client, session.user_id, request_session(session.id))
    response = web.Response(status=204, headers=NO_STORE)
    cookie.drop(request, response, session)
    return response


async def close_all(request: web.Request, client: str) -> None:
    """End all portal sessions of one user, for example after a sign-out, and cancel their bind tickets."""
    user_id = _user_id(request)
    for session_id in await request.app[PORTAL_SESSIONS].close_all(client, user_id):
        await request.app[TICKET_ISSUER].withdraw(client, user_id, request_session(session_id))


def _user_id(request: web.Request) -> UserId:
    try:  # aiohttp would decode bytes that are not UTF-8 to the text of another id
        given = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, errors="strict")
    except ValueError as e:
        raise InvalidRequest("user_id: must be UTF-8") from e
    if [name for name, _ in given] != ["user_id"]:
        raise InvalidRequest("the query must contain user_id, once, and nothing else")
    return UserId(request_body.check(USER_ID, given[0][1], name="user_id"))
