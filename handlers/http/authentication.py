"""Authenticates back ends, pages, and holders of a ticket's or a session's secret (contract.md 3)."""

import base64
import binascii
from functools import lru_cache
from typing import Final

from aiohttp import web

from handlers.http import cors, forwarding, request_body
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
from models.portal import PortalSession
from models.scene import TicketHeader, read_ticket
from models.ticket import READABLE_AFTER, TicketId
from models.web_origin import origin_of
from service.app_keys import (
    CLIENT_SECRETS,
    CLOCK,
    KEYRING,
    PORTAL_SESSIONS,
    RATE_LIMITS,
    SEALING_KEYS,
    SETTINGS,
)
from service.config.settings import Server
from service.crypto.keyring import ClientKeys
from service.crypto.sealing import Envelope, Opened

JOSE: Final = "application/jose"
PORTAL_COOKIE: Final = "scanbind_portal"
HOST_PREFIX: Final = "__Host-"
"""Browsers accept a cookie with this prefix only if the exact host set it, over https and with path `/`."""
Holder = tuple[TicketHeader, ClientKeys]
"""The header of an authenticated ticket, and its client's keys."""
_PROVEN: Final = web.RequestKey("proven", str)
"""The client that sealed the call; only `prove_by_seal` sets it."""
_parse_verified: Final = lru_cache(maxsize=20_000)(read_ticket)
"""Parses a ticket whose secret was verified; cached, because a page polls the same ticket repeatedly.

The cache's keys are tickets that this service issued, of 39 characters at most: a caller cannot invent keys, and a
full cache takes about 10 MB. Tickets that are not verified are parsed by `read_ticket`, which caches nothing.
"""


def basic_client(request: web.Request) -> str | None:
    """Return the client that HTTP Basic authenticates, or that sealed the call; None without credentials.

    Raises:
        Unauthorized: the header is malformed, the id or the secret is wrong, or the client must seal its calls.
        RateLimited: this address sent too many wrong secrets for this client.
    """
    if _PROVEN in request:
        return request[_PROVEN]
    header = request.headers.get("Authorization")
    if header is None:
        return None
    name, secret = _basic(header)
    credentials = request.app[CLIENT_SECRETS]
    client = name if name in credentials else None
    _check_blocked(request, client)
    if not credentials.prove(name, secret):
        raise WrongCredentials(client=client)
    if request.app[SETTINGS].clients[name].require_sealed:
        raise Unauthorized("this client has require_sealed: send the call sealed, to /v1/sealed")
    return name


async def require_seal(request: web.Request) -> Opened:
    """Return what the body contains, a compact JWE.

    Raises:
        UnsupportedMediaType, PayloadTooLarge, InvalidRequest: as `read_bytes`.
        Unauthorized, RateLimited: as `open_sealed`.
    """
    return open_sealed(request, await request_body.read_bytes(request, JOSE))


def open_sealed(request: web.Request, compact: bytes) -> Opened:
    """Open a compact JWE with the sealing keys of the client that it names.

    Raises:
        Unauthorized: it cannot be read, no client has that name and a key, or its keys do not open it: one answer.
        RateLimited: this address sent too many wrong secrets, or calls sealed with wrong keys, for this client.
    """
    keys = request.app[SEALING_KEYS]
    try:
        envelope = Envelope.read(compact)
    except ValueError:
        envelope = None
    client = envelope.kid if envelope and envelope.kid in keys else None
    _check_blocked(request, client)
    opened = keys.open(envelope) if envelope else None
    if opened is None:
        raise WrongCredentials("the sealed call cannot be opened", client=client)
    return opened


def prove_by_seal(request: web.Request, client: str) -> None:
    """Mark *request*, which came sealed, as one of *client*'s back end."""
    request[_PROVEN] = client


async def require_client(request: web.Request) -> str:
    """Return the authenticated client.

    Raises:
        Unauthorized: the credentials are missing or wrong.
        RateLimited: as `basic_client`.
    """
    client = basic_client(request)
    if client is None:
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    return client


def require_origin(request: web.Request, client_id: str) -> str:
    """Return *client_id* if the request's `Origin` is one of that client's.

    Raises:
        ForbiddenOrigin: the `Origin` is missing, or the client does not list it.
    """
    client = request.app[SETTINGS].clients.get(client_id)
    if client is None or request.headers.get("Origin") not in client.origins:
        raise ForbiddenOrigin("client_id: no client of this name lists the page's origin in its `origins`")
    cors.only(request, client.origins)
    return client_id


async def require_ticket_secret(request: web.Request) -> Holder:
    """Return the ticket in the path and its client's keys, if the bearer token is its secret.

    Raises:
        Unauthorized: there is no bearer token.
        TicketNotFound: the ticket is unknown or no longer readable, or the secret is another ticket's.
    """
    secret = bearer(request, "the ticket's secret")
    ticket = request.match_info["ticket"]
    # The secret is verified first: it authenticates the ticket, and an unknown ticket takes just as long.
    keys = request.app[KEYRING].authenticate(TicketId(ticket), secret)
    head = _parse_verified(ticket) if keys else None
    if head is None or keys is None or request.app[CLOCK]() >= head.expires_at + READABLE_AFTER:
        raise TicketNotFound("unknown ticket, or the secret is not this ticket's")
    client = request.app[SETTINGS].clients[keys.client]
    if head.method not in client.methods:
        raise TicketNotFound("the client no longer has this ticket's method")
    cors.only(request, client.origins)
    return head, keys


def may_read_on(request: web.BaseRequest, before: web.Application, app: web.Application, holder: Holder) -> bool:
    """Tell whether *app*, with newer settings than *before*, still lets the caller of *request* read its ticket.

    It does not if the client, the request's origin, the ticket's method or the key that signed it was removed.
    """
    head, keys = holder
    if app[KEYRING].authenticate(head.ticket, bearer(request, "the ticket's secret")) is None:
        return False
    origin, client = request.headers.get("Origin"), app[SETTINGS].clients[keys.client]
    was_listed = origin in before[SETTINGS].clients[keys.client].origins
    return head.method in client.methods and (origin in client.origins or not was_listed)


async def require_portal_session(request: web.Request) -> PortalSession:
    """Return the portal session in the path, if the bearer token or the cookie is its secret.

    Browsers may attach the cookie to requests of other pages, so it is accepted only from the portal's own page.

    Raises:
        Unauthorized: there is neither a bearer token nor a cookie.
        ForbiddenOrigin: there is a cookie, but another page may have sent the request.
        SessionNotFound: the session is unknown or has expired, or the secret is another session's.
        StoreUnavailable: the database does not answer.
    """
    cookie = (
        None if has_bearer(request) else request.cookies.get(portal_cookie(request, request.match_info["session"]))
    )
    if cookie is not None:
        cors.only(request, ())
        _require_own_page(request)
    secret = bearer(request, "the session's secret") if cookie is None else cookie
    session = await request.app[PORTAL_SESSIONS].enter(request.match_info["session"], secret)
    if cookie is None:
        cors.only(request, request.app[SETTINGS].clients[session.client].origins)
    return session


async def has_portal_cookie(request: web.Request, session_id: str) -> bool:
    """Tell whether the browser has the cookie of an open portal session, for a navigation that the portal began.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    cookie = request.cookies.get(portal_cookie(request, session_id))
    try:
        return cookie is not None and bool(await request.app[PORTAL_SESSIONS].enter(session_id, cookie))
    except SessionNotFound:
        return False


async def require_link_token(request: web.Request) -> str:
    """Return the token of a portal link; the handler looks it up.

    Raises:
        Unauthorized: there is no bearer token.
    """
    return bearer(request, "the link's token")


def has_bearer(request: web.Request) -> bool:
    """Tell whether the request has a bearer token; a proxy in front of the service may use Basic for itself."""
    return request.headers.get("Authorization", "").lower().startswith("bearer")


def bearer(request: web.BaseRequest, what: str) -> str:
    """Return the bearer token of the request; *what* names it in the error.

    Raises:
        Unauthorized: there is none.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized(f"{what} is needed as a bearer token", scheme="Bearer")
    return token.strip()


def portal_cookie(request: web.Request, session_id: str) -> str:
    """Return the name of a portal session's cookie; each has its own, since a browser may have several sessions.

    Over https only the `__Host-` name is read: otherwise a sibling host could plant the secret of its own session.
    """
    return f"{HOST_PREFIX if is_https(request) else ''}{PORTAL_COOKIE}_{session_id}"


def is_https(request: web.Request) -> bool:
    """Tell whether browsers use https: by `server.public_url`, or by the header of a trusted proxy."""
    server = request.app[SETTINGS].server
    return server.public_url.lower().startswith("https:") or forwarding.is_https(request, server)


def address(request: web.Request) -> str:
    """Return the client's IP address, as trusted proxies report it; '' if it is unknown."""
    return str(forwarding.origin(request, request.app[SETTINGS].server).address or "")


def throttle_address(request: web.BaseRequest, server: Server) -> str | None:
    """Return the address under which wrong passwords and waiting browsers are counted; None to count nothing.

    Loopback is not counted: behind a local proxy without `X-Forwarded-For`, all clients have that address.
    """
    counted = forwarding.origin(request, server).address
    return None if counted is None or counted.is_loopback else str(counted)


def is_own_page(request: web.Request) -> bool:
    """Tell whether a page of the service itself sent the request.

    Without fetch metadata (old browsers, and all browsers over http) every POST still has an `Origin`.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    return origin is not None and origin == origin_of(request.app[SETTINGS].server.public_url)


def _require_own_page(request: web.Request) -> None:
    """Check that a page of the service itself sent the request.

    A GET with neither `Sec-Fetch-Site` nor `Origin` comes from an old browser or over http. It is accepted: a GET
    changes nothing, and another page cannot read the answer (handlers/http/cors.py).

    Raises:
        ForbiddenOrigin: another page may have sent it, even a page of a sibling host.
    """
    unknown = request.method == "GET" and not any(name in request.headers for name in ("Sec-Fetch-Site", "Origin"))
    if not unknown and not is_own_page(request):
        raise ForbiddenOrigin("the session's cookie is accepted only from the portal's own page")


def _check_blocked(request: web.Request, client: str | None) -> None:
    if here := throttle_address(request, request.app[SETTINGS].server):
        request.app[RATE_LIMITS].check_blocked(client, here)


def _basic(header: str) -> tuple[str, bytes]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        name, _, secret = decoded.partition(b":")
        return name.decode(), secret
    except (binascii.Error, UnicodeError, ValueError) as e:
        raise Unauthorized("Authorization: not valid HTTP Basic in UTF-8") from e


def _bearer(name: str, description: str) -> dict[str, Schema]:
    """Return the OpenAPI security scheme of a bearer token."""
    return {name: {"type": "http", "scheme": "bearer", "description": description}}


_SITE: Final = {
    "site": {
        "type": "http",
        "scheme": "basic",
        "description": "A site's back end: the client's id and secret.",
    }
}
_PAGE: Final = {
    "page": {
        "type": "apiKey",
        "in": "header",
        "name": "Origin",
        "description": "A page of the site: the browser sends its origin, which the client's `origins` must list. "
        "This stops pages of other sites, but not programs, so rate limits apply.",
    }
}
_BY_PASSWORD: Final = (Unauthorized, RateLimited, StoreUnavailable)

SEAL: Final = Caller({}, _BY_PASSWORD, require_seal)
"""A site's back end by a sealed body; the handler gets what it contains. OpenAPI has no security scheme for it."""
CLIENT: Final = Caller(_SITE, _BY_PASSWORD, require_client)
"""A site's back end; the handler gets the client's id."""
CLIENT_OR_PAGE: Final = Caller(_SITE | _PAGE, (*_BY_PASSWORD, ForbiddenOrigin))
"""A site's back end or its page; the handler authenticates, since it depends on the body as well."""
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
            "description": "Cookie of the portal's own page; requests of other pages are refused. `SESSION` is "
            "the session's id; over https the name begins with `__Host-`.",
        },
    },
    (Unauthorized, StoreUnavailable, ForbiddenOrigin, SessionNotFound),
    require_portal_session,
)
"""The holder of an open portal session's secret; the handler gets the session."""
