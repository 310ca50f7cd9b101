"""The endpoints of tickets (contract.md 4)."""

from typing import Final

from handlers.http import patterns
from handlers.http.authentication import CLIENT, CLIENT_OR_PAGE, TICKET_HOLDER
from handlers.http.operation import (
    ETAG,
    IF_NONE_MATCH,
    JSON,
    LINE,
    NAME,
    NOT_MODIFIED,
    TEXT,
    Answer,
    CrossOrigin,
    Links,
    Operation,
    Parameter,
    Schema,
    in_path,
    in_query,
    json_body,
    text,
)
from handlers.http.pictures import DOWNLOAD
from handlers.tickets import account_pictures, create, exchange, qr_code, schemas, status, stream
from models import errors

_TAG: Final = "tickets"
_TICKET: Final = in_path("ticket", text(39, patterns.TICKET), "The `ticket` returned by `POST /v1/tickets`.")
_CAPABILITY: Final = in_path(
    "capability", text(722, patterns.CAPABILITY), "From `qr_svg` or `qr_png` of a ticket."
)
_WAIT: Final[Parameter] = {
    "in": "header",
    "name": "Prefer",
    "schema": LINE,
    "example": "wait=25",
    "description": "With `If-None-Match`: wait for a change, for at most this many seconds (1 to 30).",
}
_SIZE: Final = in_query(
    "size",
    {"type": "integer", "minimum": 128, "maximum": 1024, "default": 360},
    "The approximate width in pixels.",
)
_STREAM: Final[Schema] = {
    "description": "One event per state. A comment at least every 15 seconds. Ends after a final state.",
    "type": "object",
    "properties": {
        "event": {"const": "status"},
        "id": {**ETAG, "description": "The ETag of the state."},
        "data": {
            "type": "string",
            "contentMediaType": JSON,
            "contentSchema": {"$ref": "#/components/schemas/TicketState"},
        },
    },
    "required": ["event", "id", "data"],
}
_PICTURE: Final[Schema] = {}  # bytes have no schema in OpenAPI 3.1
FOLLOW: Final[Links] = {
    name: {"ticket": "$response.body#/ticket"}
    for name in ("readTicket", "streamTicket", "readTicketCode", "cancelTicket")
}
"""With the `secret` of the same answer as the bearer token."""

OPERATIONS: Final = (
    # The most frequent first: aiohttp tries addresses in order.
    Operation(
        *(_TAG, "readTicket", "GET", "/v1/tickets/{ticket}", status.read),
        caller=TICKET_HOLDER,
        parameters=(_TICKET, IF_NONE_MATCH, _WAIT),
        answers={200: json_body("The ticket's state.", schemas.TicketState, "ETag"), 304: NOT_MODIFIED},
        refuses=(errors.RateLimited,),
        cross_origin=CrossOrigin.CALL,
        head=False,
    ),
    Operation(
        *(_TAG, "cancelTicket", "DELETE", "/v1/tickets/{ticket}", status.cancel),
        caller=TICKET_HOLDER,
        parameters=(_TICKET,),
        answers={204: Answer("The ticket is cancelled.")},
        refuses=(errors.TicketFinished,),
        cross_origin=CrossOrigin.CALL,
    ),
    Operation(
        *(_TAG, "createTicket", "POST", "/v1/tickets", create.create),
        caller=CLIENT_OR_PAGE,
        body=schemas.TicketRequest,
        answers={
            201: json_body("A new ticket.", schemas.TicketMade, links=FOLLOW),
            200: json_body("The pending bind ticket of this user and session.", schemas.TicketMade, links=FOLLOW),
        },
        refuses=(errors.WeChatUnavailable,),
        cross_origin=CrossOrigin.CALL,
    ),
    Operation(
        *(_TAG, "streamTicket", "GET", "/v1/tickets/{ticket}/events", stream.stream),
        caller=TICKET_HOLDER,
        parameters=(_TICKET,),
        answers={200: Answer("The ticket's state, now and after each change.", {"text/event-stream": _STREAM})},
        refuses=(errors.RateLimited,),
        cross_origin=CrossOrigin.CALL,
        head=False,
    ),
    Operation(
        *("qr", "readTicketCode", "GET", "/v1/tickets/{ticket}/code", qr_code.code),
        caller=TICKET_HOLDER,
        parameters=(_TICKET,),
        answers={
            200: json_body(
                "The QR code's addresses, until the ticket expires, even if it has ended.", schemas.Code
            )
        },
        refuses=(errors.NotFound,),
        cross_origin=CrossOrigin.CALL,
        head=False,
    ),
    Operation(
        *("qr", "readQrCodeSvg", "GET", "/v1/qr/{capability:[A-Za-z0-9_-]+}.svg", qr_code.svg),
        parameters=(_CAPABILITY,),
        answers={200: Answer("The QR code.", {"image/svg+xml": TEXT})},
        refuses=(errors.NotFound,),
    ),
    Operation(
        *("qr", "readQrCodePng", "GET", "/v1/qr/{capability:[A-Za-z0-9_-]+}.png", qr_code.png),
        parameters=(_CAPABILITY, _SIZE, DOWNLOAD),
        answers={200: Answer("The QR code.", {"image/png": _PICTURE})},
        refuses=(errors.NotFound,),
    ),
    Operation(
        *("qr", "readAccountPicture", "GET", "/v1/accounts/{account}/picture", account_pictures.picture),
        parameters=(in_path("account", NAME, "The name of the account."), DOWNLOAD),
        answers={200: Answer("Its own QR code.", {"image/png": _PICTURE, "image/jpeg": _PICTURE})},
        refuses=(errors.NotFound,),
    ),
    Operation(
        *("exchange", "exchangeCode", "POST", "/v1/exchange", exchange.exchange),
        caller=CLIENT,
        body=schemas.ExchangeRequest,
        answers={200: json_body("A user of the site, or a registration.", schemas.Redeemed)},
        refuses=(errors.InvalidCode, errors.BindingConflict, errors.AccountNotConfigured),
    ),
)
