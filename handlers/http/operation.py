"""What can be done at each address, as /openapi.json tells it. The addresses themselves are those of routes.py.

What a handler does is told by its own docstring; here is what that does not say. CONTRACT 3 to 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from aiohttp.typedefs import Handler
from pydantic import TypeAdapter

from handlers import assets, health
from handlers.bindings import bindings
from handlers.http import authentication, cors, request_body, schemas
from handlers.portal import api, pages
from handlers.tickets import exchange, qr_code, status
from handlers.wechat import callback
from models import errors
from models.scene import MAX_LENGTH

JSON: Final = "application/json"
Shape = TypeAdapter[Any]
Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
LONGEST_LINE: Final = 8190
"""Characters of a request line or header, at most: aiohttp refuses longer ones before a handler sees them."""


def _text(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}


_LINE: Final = _text(LONGEST_LINE)
_NAME: Final = _text(64)


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer: what it means, its body by media type, and the headers that matter."""

    means: str
    content: Mapping[str, Shape | Schema] = field(default_factory=dict)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler takes and gives."""

    answers: Mapping[int, Answer]
    refuses: tuple[type[Exception], ...] = ()
    """What it may refuse with, besides failing (500)."""
    body: Mapping[str, Shape | Schema] = field(default_factory=dict)
    callers: tuple[str, ...] = ()
    """Any one of these SECURITY schemes; none: anybody."""
    parameters: tuple[str, ...] = ()
    """From PARAMETERS, those of the path apart."""


SECURITY: Final[Mapping[str, Schema]] = {
    "site": {
        "type": "http",
        "scheme": "basic",
        "description": "A site's back end: the client's name and secret.",
    },
    "page": {
        "type": "apiKey",
        "in": "header",
        "name": "Origin",
        "description": "A page of the site: browsers say where it comes from, and the client lists its origins. "
        "This keeps other sites' pages out, not programs, so limits apply.",
    },
    "follower": {
        "type": "http",
        "scheme": "bearer",
        "description": "Whoever holds the ticket's `secret`.",
    },
    "link": {
        "type": "http",
        "scheme": "bearer",
        "description": "Whoever holds a portal session's `token`; once.",
    },
    "account_holder": {
        "type": "http",
        "scheme": "bearer",
        "description": "Whoever opened a portal session and holds its `secret`.",
    },
    "portal_page": {
        "type": "apiKey",
        "in": "cookie",
        "name": f"{authentication.PORTAL_COOKIE}_SESSION",
        "description": "The portal's own page; no other page's requests are taken with it. `SESSION` is the "
        "session's id; by https the name begins with `__Host-`.",
    },
}

PATH: Final[Mapping[str, Schema]] = {
    "ticket": {"schema": _text(MAX_LENGTH), "description": "The `ticket` of its making."},
    "script": {"schema": {"enum": ["widget", "portal"]}, "description": "Its name."},
    "version": {"schema": _text(16), "description": "Names its very bytes, as `scanbind widget` prints them."},
    "capability": {"schema": _LINE, "description": "Follow `qr_svg` and `qr_png`; it cannot be made up."},
    "user_id": {
        "schema": request_body.USER_ID.json_schema(),
        "description": "The site's own id of its user: printable, neither `.` nor `..`, kept exactly.",
    },
    "account": {"schema": _NAME, "description": "The account's name in the configuration."},
    "session": {"schema": _text(22), "description": "The portal session: `token` up to its dot."},
    "token": {"schema": _text(55), "description": "The `token` of a portal session; it cannot be made up."},
}

_SIGNED: Final[Mapping[str, Schema]] = {
    "signature": _text(40),
    "timestamp": _text(10),
    "nonce": _text(64),
    "echostr": _LINE,
    "encrypt_type": _LINE,
    "msg_signature": _text(40),
    "openid": _LINE,
}
"""What stands in the query of WeChat's calls (PROTOCOL.md 3)."""

PARAMETERS: Final[Mapping[str, Schema]] = {
    "known": {
        "in": "header",
        "name": "If-None-Match",
        "schema": _LINE,
        "description": "The `ETag` of what is known: the answer is 304 while nothing has changed.",
    },
    "wait": {
        "in": "header",
        "name": "Prefer",
        "schema": _LINE,
        "example": "wait=25",
        "description": "With `If-None-Match`: hold the answer for a change, so many seconds (1 to 30) at most.",
    },
    "size": {
        "in": "query",
        "name": "size",
        "schema": {"type": "integer", "minimum": 128, "maximum": 1024, "default": 360},
        "description": "About how many pixels wide.",
    },
    "download": {
        "in": "query",
        "name": "download",
        "schema": {"enum": ["1"]},
        "description": "Let browsers save the picture.",
    },
    "only_account": {
        "in": "query",
        "name": "account",
        "schema": _NAME,
        "description": "Disconnect this account alone.",
    },
    "whose": {
        "in": "query",
        "name": "user_id",
        "required": True,
        "schema": request_body.USER_ID.json_schema(),
        "description": "The site's own id of its user.",
    },
    "lang": {
        "in": "query",
        "name": "lang",
        "schema": {"enum": ["zh", "en"], "default": "zh"},
        "description": "The page's language.",
    },
    **{
        name: {"in": "query", "name": name, "schema": schema, "description": "As WeChat sends it."}
        for name, schema in _SIGNED.items()
    },
}

_STREAM: Final[Schema] = {
    "type": "string",
    "description": "Each state once: `event: status`, `id:` its ETag, `data:` a TicketState as JSON. "
    "A comment at least every 15 seconds. Ends after a final state.",
}
_SCRIPT: Final = {
    200: Answer("The script.", {"text/javascript": TEXT}, ("ETag",)),
    304: Answer("Still as the ETag says.", headers=("ETag",)),
}
_PICTURE: Final[Schema] = {}  # bytes have no schema in OpenAPI 3.1
_PUSH: Final[Schema] = {
    **_text(64 * 1024),
    "description": "A push as WeChat writes it.",
}
_JSON_IN: Final = (errors.InvalidRequest, errors.PayloadTooLarge, errors.UnsupportedMediaType)
_SITE: Final = (errors.Unauthorized, errors.RateLimited, errors.StoreUnavailable)
_FOLLOWING: Final = (errors.Unauthorized, errors.StoreUnavailable, errors.TicketNotFound)
_HOLDER: Final = ("account_holder", "portal_page")
_VISIT: Final = (errors.Unauthorized, errors.StoreUnavailable, errors.ForbiddenOrigin, errors.SessionNotFound)
_HTML: Final = {"text/html": TEXT}

_LINK: Final = Operation(
    answers={
        200: Answer(
            "The link stays unused. Led to by neither a page of its site nor this page's own button: says whose "
            "account it is for, with a button that opens it. Framed by another site's page: asks to be opened by "
            "itself.",
            _HTML,
        ),
        303: Answer("Opened: the browser goes to the page.", headers=("Location", "Set-Cookie")),
        404: Answer("No link of ours.", _HTML),
        410: Answer("The link was opened before, or it is too late; shows the way back.", _HTML),
    },
    refuses=(errors.ForbiddenOrigin, errors.StoreUnavailable),
)


def _json(means: str, shape: Shape, *headers: str) -> Answer:
    return Answer(means, {JSON: shape}, headers)


OPERATIONS: Final[Mapping[Handler, Operation]] = MappingProxyType(
    {
        status.create: Operation(
            callers=("site", "page"),
            body={JSON: request_body.TICKET},
            answers={
                201: _json("A new ticket.", schemas.TICKET_MADE),
                200: _json("The bind ticket this session is already shown.", schemas.TICKET_MADE),
            },
            refuses=(
                *_JSON_IN,
                *_SITE,
                errors.ForbiddenOrigin,
                errors.WeChatUnavailable,
            ),
        ),
        status.read: Operation(
            callers=("follower",),
            parameters=("known", "wait"),
            answers={
                200: _json("How it stands.", schemas.TICKET_STATE, "ETag"),
                304: Answer("Still as the ETag says.", headers=("ETag",)),
            },
            refuses=(*_FOLLOWING, errors.InvalidRequest, errors.RateLimited),
        ),
        status.stream: Operation(
            callers=("follower",),
            answers={200: Answer("How it stands, as that changes.", {"text/event-stream": _STREAM})},
            refuses=(*_FOLLOWING, errors.InvalidRequest, errors.RateLimited),
        ),
        status.cancel: Operation(
            callers=("follower",),
            answers={204: Answer("The ticket is cancelled.")},
            refuses=(*_FOLLOWING, errors.TicketFinished),
        ),
        cors.preflight: Operation(answers={204: Answer("With CORS headers, if some client lists the origin.")}),
        qr_code.code: Operation(
            callers=("follower",),
            answers={200: _json("Where the code is, for a page that was given ticket and secret.", schemas.CODE)},
            refuses=(*_FOLLOWING, errors.NotFound),
        ),
        qr_code.svg: Operation(
            answers={200: Answer("The code.", {"image/svg+xml": TEXT})},
            refuses=(errors.NotFound,),
        ),
        qr_code.png: Operation(
            parameters=("size", "download"),
            answers={200: Answer("The code.", {"image/png": _PICTURE})},
            refuses=(errors.InvalidRequest, errors.NotFound),
        ),
        exchange.exchange: Operation(
            callers=("site",),
            body={JSON: request_body.EXCHANGE},
            answers={200: _json("Who scanned.", schemas.REDEEMED)},
            refuses=(*_JSON_IN, *_SITE, errors.InvalidCode),
        ),
        bindings.create: Operation(
            callers=("site",),
            body={JSON: request_body.BINDING},
            answers={
                201: _json("Bound.", schemas.BINDING_MADE),
                200: _json("Bound by this very call before.", schemas.BINDING_MADE),
            },
            refuses=(*_JSON_IN, *_SITE, errors.InvalidCode, errors.BindingConflict),
        ),
        bindings.read: Operation(
            callers=("site",),
            answers={200: _json("All of the user's bindings.", schemas.BINDINGS)},
            refuses=(errors.InvalidRequest, *_SITE),
        ),
        bindings.delete: Operation(
            callers=("site",),
            parameters=("only_account",),
            answers={204: Answer("Disconnected.")},
            refuses=(errors.InvalidRequest, *_SITE, errors.BindingNotFound),
        ),
        api.create: Operation(
            callers=("site",),
            body={JSON: request_body.PORTAL},
            answers={201: _json("A link that works once.", schemas.PORTAL_LINK)},
            refuses=(*_JSON_IN, *_SITE),
        ),
        api.close_all: Operation(
            callers=("site",),
            parameters=("whose",),
            answers={204: Answer("None of the user's links and visits is worth anything any more.")},
            refuses=(errors.InvalidRequest, *_SITE),
        ),
        api.open_: Operation(
            callers=("link",),
            answers={200: _json("The session is open.", schemas.PORTAL_OPENED)},
            refuses=(errors.Unauthorized, errors.StoreUnavailable, errors.SessionNotFound),
        ),
        api.read: Operation(
            callers=_HOLDER,
            answers={200: _json("How things stand.", schemas.PORTAL_VIEW)},
            refuses=_VISIT,
        ),
        api.bind: Operation(
            callers=_HOLDER,
            body={JSON: request_body.PORTAL_TICKET},
            answers={
                201: _json("A new ticket.", schemas.TICKET_MADE),
                200: _json("The bind ticket this session is already shown.", schemas.TICKET_MADE),
            },
            refuses=(*_JSON_IN, *_VISIT, errors.RateLimited, errors.WeChatUnavailable),
        ),
        api.disconnect: Operation(
            callers=_HOLDER,
            answers={204: Answer("Disconnected.")},
            refuses=(*_VISIT, errors.BindingNotFound),
        ),
        api.close: Operation(
            callers=_HOLDER,
            answers={204: Answer("The session is over.")},
            refuses=_VISIT,
        ),
        pages.enter: _LINK,
        pages.go_on: _LINK,
        pages.show: Operation(parameters=("lang",), answers={200: Answer("The page.", _HTML)}),
        pages.style: Operation(
            parameters=("known",),
            answers={
                200: Answer("The style sheet.", {"text/css": TEXT}, headers=("ETag",)),
                304: Answer("Still as the ETag says.", headers=("ETag",)),
            },
        ),
        pages.icon: Operation(
            parameters=("known",),
            answers={
                200: Answer("The picture.", {"image/svg+xml": TEXT}, headers=("ETag",)),
                304: Answer("Still as the ETag says.", headers=("ETag",)),
            },
        ),
        callback.verify: Operation(
            parameters=("signature", "timestamp", "nonce", "echostr"),
            answers={200: Answer("The echostr.", {"text/plain": TEXT})},
            refuses=(errors.InvalidRequest, errors.BadSignature, errors.NotFound, errors.RateLimited),
        ),
        callback.receive: Operation(
            parameters=("signature", "timestamp", "nonce", "encrypt_type", "msg_signature", "openid"),
            body={"text/xml": _PUSH, JSON: _PUSH},
            answers={
                200: Answer(
                    "What it does is kept; `success`, or a reply written and sealed as the push was.",
                    {"text/plain": TEXT, "application/xml": TEXT, JSON: {"type": "object"}},
                ),
            },
            refuses=(
                errors.InvalidRequest,
                errors.BadSignature,
                errors.NotFound,
                errors.PayloadTooLarge,
                errors.UnsupportedMediaType,
                errors.RateLimited,
                errors.StoreUnavailable,
            ),
        ),
        assets.latest: Operation(parameters=("known",), answers=_SCRIPT),
        assets.pinned: Operation(parameters=("known",), answers=_SCRIPT, refuses=(errors.NotFound,)),
        health.live: Operation(answers={200: _json("The process runs.", schemas.LIVENESS)}),
        health.ready: Operation(
            answers={
                200: _json("Requests may be sent here.", schemas.READINESS),
                503: _json("Not now; a dependency is down, or the service stops.", schemas.READINESS),
            },
        ),
        health.metrics: Operation(answers={200: Answer("Figures for Prometheus.", {"text/plain": TEXT})}),
    }
)
