"""Authentication of callers: back ends, pages, holders of a ticket's or a session's secret (contract.md 3)."""

import base64
import binascii
from functools import lru_cache
from typing import Final

from aiohttp import web

from handlers.http import cors
from handlers.http.operation import Caller, Schema
from models.errors import (
    ForbiddenOrigin,
    RateLimited,
    SessionNotFound,
    StoreUnavailable,
    TicketNotFound,
    Unauthorized,
    WrongCredentials,
)
from models.ip_address import parsed_address
from models.portal import PortalSession
from models.scene import TicketHeader, read_ticket
from models.ticket import READABLE_AFTER, TicketId
from models.web_origin import origin_of
from service.app_keys import CLIENT_SECRETS, CLOCK, KEYRING, PORTAL_SESSIONS, RATE_LIMITS, SETTINGS
from service.crypto.keyring import ClientKeys

PORTAL_COOKIE: Final = "scanbind_portal"
_HOST_ALONE: Final = "__Host-"
"""Browsers keep a cookie of such a name only if this very host set it, by https and for all of its paths."""
_proved_head: Final = lru_cache(maxsize=20_000)(read_ticket)
"""Reads a ticket whose secret was checked: a page polls the same one again and again.

Its keys are tickets that we issued, of 39 characters at most, so a caller cannot make up a key, and all entries
together take some 10 MB. Before the secret is checked, `read_ticket` is called, which keeps nothing.
"""


def basic_client(request: web.Request) -> str | None:
    """Return the client whose id and secret the request carries; None if it carries none.

    Raises:
        Unauthorized: what it carries is wrong.
        RateLimited: too many wrong passwords of this client came from this address.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    name, secret = _basic(header)
    credentials = request.app[CLIENT_SECRETS]
    client = name if name in credentials else None
    if here := throttle_address(request):
        request.app[RATE_LIMITS].check_blocked(client, here)
    if not credentials.prove(name, secret):
        raise WrongCredentials(client=client)
    return name


async def require_client(request: web.Request) -> str:
    """Return the client whose back end is calling.

    Raises:
        Unauthorized: there are no credentials, or wrong ones.
    """
    client = basic_client(request)
    if client is None:
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    return client


def require_origin(request: web.Request, client_id: str) -> str:
    """Return the client whose page is calling.

    Raises:
        ForbiddenOrigin: the page's origin is missing, or not one of that client's.
    """
    client = request.app[SETTINGS].clients.get(client_id)
    cors.only(request, client.origins if client else ())
    if client is None or request.headers.get("Origin") not in client.origins:
        raise ForbiddenOrigin("this origin is not one of the client's")
    return client_id


async def require_ticket_secret(request: web.Request) -> tuple[TicketHeader, ClientKeys]:
    """Return the ticket in the address and its client's keys, if the caller holds its secret.

    Raises:
        Unauthorized: there is no bearer secret.
        TicketNotFound: there is no such ticket, it is long over, or the secret is another's.
    """
    secret = bearer(request, "the ticket's secret")
    ticket = request.match_info["ticket"]
    # The secret first: it proves the ticket, and so takes as long for one there never was.
    keys = request.app[KEYRING].whose(TicketId(ticket), secret)
    head = _proved_head(ticket) if keys else None
    if head is None or keys is None or request.app[CLOCK]() >= head.expires_at + READABLE_AFTER:
        raise TicketNotFound("unknown ticket, or not its secret")
    cors.only(request, request.app[SETTINGS].clients[keys.client].origins)
    return head, keys


async def require_portal_session(request: web.Request) -> PortalSession:
    """Return the portal session in the address, if the caller holds its secret: as a bearer, or in its cookie.

    A cookie goes along with whatever any page asks for, so with it the page must be the portal's own.

    Raises:
        Unauthorized: there is neither.
        ForbiddenOrigin: there is a cookie, but another page may have sent it.
        SessionNotFound: there is no such session, it is over, or the secret is another's.
        StoreUnavailable: the database does not answer.
    """
    # A proxy before the service may have a password of its own (Basic), which says nothing here.
    bears = request.headers.get("Authorization", "").lower().startswith("bearer")
    cookie = None if bears else request.cookies.get(portal_cookie(request, request.match_info["session"]))
    if cookie is not None:
        cors.only(request, ())
        _refuse_other_pages(request)
    secret = bearer(request, "the session's secret") if cookie is None else cookie
    session = await request.app[PORTAL_SESSIONS].enter(request.match_info["session"], secret)
    if cookie is None:
        cors.only(request, request.app[SETTINGS].clients[session.client].origins)
    return session


async def require_link_token(request: web.Request) -> str:
    """Return the token of a portal link; what it opens is looked up by the handler.

    Raises:
        Unauthorized: there is no bearer token.
    """
    return bearer(request, "the link's token")


def bearer(request: web.Request, what: str) -> str:
    """Return the bearer token of the request, which is *what*.

    Raises:
        Unauthorized: it has none.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized(f"{what} is needed as a bearer token", scheme="Bearer")
    return token.strip()


def portal_cookie(request: web.Request, session_id: str) -> str:
    """Return the name of the cookie that holds a portal session's secret: one for each, they share a browser.

    By https no other name is read, or a neighbouring host could plant the secret of a session of its own.
    """
    return f"{_HOST_ALONE if is_https(request) else ''}{PORTAL_COOKIE}_{session_id}"


def is_https(request: web.Request) -> bool:
    """Tell whether browsers reach the service by https, as configured or as a trusted proxy says."""
    server = request.app[SETTINGS].server
    if server.public_url.lower().startswith("https:"):
        return True
    near = parsed_address(request.remote or "")
    told = request.headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return bool(near) and any(near in it for it in server.trusted_proxies) and told.strip().lower() == "https"


def address(request: web.Request) -> str:
    """Return the caller's IP address, past the proxies that are trusted to name it; '' if nobody knows it."""
    trusted = request.app[SETTINGS].server.trusted_proxies
    named = [part.strip() for line in request.headers.getall("X-Forwarded-For", ()) for part in line.split(",")]
    here = parsed_address(request.remote or "")
    while named and here and any(here in network for network in trusted):
        if not (before := parsed_address(named.pop())):
            break  # a proxy that names nobody stands for whoever is behind it
        here = before
    return str(here or "")


def throttle_address(request: web.Request) -> str | None:
    """Return the address whose wrong passwords and waiting browsers are counted; None if they are not.

    This machine's own are not: behind a proxy on it that names nobody, everybody seems to come from there.
    """
    here = address(request)
    parsed = parsed_address(here)
    return None if parsed is None or parsed.is_loopback else here


def is_own_page(request: web.Request) -> bool:
    """Tell whether a page of the service itself sent the request.

    Browsers that send no fetch metadata (old ones, and all of them by http) send the origin with every POST.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    return origin is not None and origin == origin_of(request.app[SETTINGS].server.public_url)


def _refuse_other_pages(request: web.Request) -> None:
    """Return if a page of the service itself sent the request, or nobody could learn or change anything by it.

    Browsers that say neither where a GET comes from nor to whom it goes are old, or do not speak https: whatever
    page it was, it cannot read the answer (handlers/http/cors.py).

    Raises:
        ForbiddenOrigin: another page may have sent it, be it of a neighbouring host.
    """
    silent = request.method == "GET" and not any(name in request.headers for name in ("Sec-Fetch-Site", "Origin"))
    if not silent and not is_own_page(request):
        raise ForbiddenOrigin("with its cookie, only the portal's own page may do that")


def _basic(header: str) -> tuple[str, bytes]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        name, _, secret = decoded.partition(b":")
        return name.decode(), secret
    except (binascii.Error, UnicodeError, ValueError) as e:
        raise Unauthorized("the credentials cannot be read") from e


def _bearer(name: str, description: str) -> dict[str, Schema]:
    """Return the OpenAPI security scheme of a bearer token."""
    return {name: {"type": "http", "scheme": "bearer", "description": description}}


_SITE: Final = {
    "site": {
        "type": "http",
        "scheme": "basic",
        "description": "A site's back end: the client's name and secret.",
    }
}
_PAGE: Final = {
    "page": {
        "type": "apiKey",
        "in": "header",
        "name": "Origin",
        "description": "A page of the site: browsers say where it comes from, and the client lists its origins. "
        "This keeps other sites' pages out, not programs, so limits apply.",
    }
}
_BY_PASSWORD: Final = (Unauthorized, RateLimited, StoreUnavailable)

CLIENT: Final = Caller(_SITE, _BY_PASSWORD, require_client)
"""A site's back end; the handler gets the client's name."""
CLIENT_OR_PAGE: Final = Caller(_SITE | _PAGE, (*_BY_PASSWORD, ForbiddenOrigin))
"""A site's back end or its page: which of them, the handler learns from the body as well."""
TICKET_HOLDER: Final = Caller(
    _bearer("follower", "The ticket's `secret`."),
    (Unauthorized, StoreUnavailable, TicketNotFound),
    require_ticket_secret,
)
"""The holder of a ticket's secret; the handler gets the ticket's header and its client's keys."""
LINK_HOLDER: Final = Caller(
    _bearer("link", "A portal session's `token`; works once."),
    (Unauthorized, StoreUnavailable, SessionNotFound),
    require_link_token,
)
"""The holder of a portal link; the handler gets its token."""
ACCOUNT_HOLDER: Final = Caller(
    {
        **_bearer("account_holder", "The `secret` of an open portal session."),
        "portal_page": {
            "type": "apiKey",
            "in": "cookie",
            "name": f"{PORTAL_COOKIE}_SESSION",
            "description": "The portal's own page; no other page's requests are taken with it. `SESSION` is the "
            "session's id; by https the name begins with `__Host-`.",
        },
    },
    (Unauthorized, StoreUnavailable, ForbiddenOrigin, SessionNotFound),
    require_portal_session,
)
"""The holder of an open portal session's secret; the handler gets the session."""
