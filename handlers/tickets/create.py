"""Creates tickets, for a site's back end or its page (contract.md 4)."""

from collections.abc import Iterable

from aiohttp import web

from handlers.http import authentication, cors
from handlers.http.operation import Created
from handlers.http.responses import seconds_left
from handlers.tickets import notes, qr_code
from handlers.tickets.answers import answer_of, view_of
from handlers.tickets.schemas import POLL_AFTER, BindTicketRequest, LoginRequest, TicketMade
from models.binding import UserId
from models.errors import InvalidRequest, Unauthorized
from models.method import Method
from models.requester import Requester, cleaned_requester
from models.ticket import Via
from models.web_authorization import ReturnTo
from service.app_keys import CLOCK, KEYRING, METRICS, RATE_LIMITS, SETTINGS, TICKET_ISSUER, TICKET_STATUS
from service.tickets.factory import Issued
from service.tickets.issuer import BindOrder


async def create(request: web.Request, wanted: LoginRequest | BindTicketRequest) -> TicketMade | Created:
    """Create a ticket: 201, or 200 for a bind ticket that is still pending."""
    address = authentication.address(request)
    client, via = await _caller(request, wanted, address)
    requester = _requester(request, wanted, via, address)
    issuer = request.app[TICKET_ISSUER]
    match wanted:
        case LoginRequest():
            issued = await issuer.login(
                client,
                method=wanted.method,
                account=wanted.account,
                via=via,
                back=_return(request, wanted, client),
                lang=wanted.lang,
                requester=requester,
            )
        case BindTicketRequest():
            issued = await issuer.bind(
                BindOrder(
                    client,
                    UserId(wanted.user_id),
                    method=wanted.method,
                    account=wanted.account,
                    session=wanted.session,
                    refresh=wanted.refresh,
                    back=_return(request, wanted, client),
                    lang=wanted.lang,
                    requester=requester,
                )
            )
    methods = request.app[SETTINGS].clients[client].methods
    return ticket_answer(request, issued, client=client, via=via, methods=methods)


def ticket_answer(
    request: web.Request, issued: Issued, *, client: str, via: Via, methods: Iterable[Method]
) -> TicketMade | Created:
    """Return the answer with a ticket, its secret and the *methods* offered; count the ticket if it is new."""
    head = issued.head
    made = TicketMade(
        ticket=head.ticket,
        secret=issued.secret,
        purpose=head.purpose,
        method=head.method,
        status="pending",
        account=issued.account,
        methods=list(methods),
        **qr_code.shown(request, issued.shown, head.expires_at),
        created_at=issued.created_at,
        expires_at=head.expires_at,
        expires_in=seconds_left(head.expires_at, issued.created_at if issued.fresh else request.app[CLOCK]()),
        poll_after=POLL_AFTER,
    )
    if not issued.fresh:
        return made
    request.app[METRICS].tickets.labels(client, head.purpose, via).inc()
    if ticket := request.app[TICKET_STATUS].known(head):
        holder = (head, request.app[KEYRING].newest(client))
        notes.leave(request.app, ticket, holder, answer_of(view_of(request.app, holder, ticket)))
    return Created(made)


async def _caller(request: web.Request, wanted: LoginRequest | BindTicketRequest, address: str) -> tuple[str, Via]:
    """Return the ticket's client, and whether its back end or page calls; credentials win over an origin."""
    client = authentication.basic_client(request)
    if client is not None:
        if wanted.client_id not in (None, client):
            raise InvalidRequest("client_id: differs from the client of the credentials")
        cors.only(request, request.app[SETTINGS].clients[client].origins)
        return client, Via.BACKEND
    if isinstance(wanted, BindTicketRequest) or "Origin" not in request.headers:
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    if wanted.client_id is None:
        raise InvalidRequest("client_id: is missing")
    client = authentication.require_origin(request, wanted.client_id)
    await request.app[RATE_LIMITS].page_starts(client=client, address=address)
    return client, Via.PAGE


def _return(request: web.Request, wanted: LoginRequest | BindTicketRequest, client: str) -> ReturnTo | None:
    """Return where a redirect comes back to; None if the caller does not say that, as scans need not.

    Raises:
        InvalidRequest: the client does not list the address, or a bind has a state without one.
    """
    url, state = wanted.return_url, wanted.state
    if url is None and state is not None and isinstance(wanted, BindTicketRequest):
        raise InvalidRequest("state: of a bind, only together with return_url")
    if url is not None and url not in request.app[SETTINGS].clients[client].return_urls:
        raise InvalidRequest("return_url: not one of this client's return_urls")
    return ReturnTo(url, state) if url and state else None


def _requester(
    request: web.Request, wanted: LoginRequest | BindTicketRequest, via: Via, address: str
) -> Requester:
    if isinstance(wanted, LoginRequest) and via is Via.PAGE:
        if wanted.visitor:
            raise InvalidRequest("visitor: only a back end may send it")
        agent = request.headers.get("User-Agent")
        return cleaned_requester(ip=address, user_agent=agent, state=wanted.state)
    ip, agent = (wanted.visitor.ip, wanted.visitor.user_agent) if wanted.visitor else (None, None)
    if isinstance(wanted, LoginRequest):
        return cleaned_requester(ip=ip, user_agent=agent, state=wanted.state)
    return cleaned_requester(ip=ip, user_agent=agent, account_name=wanted.account_name)
