"""The addresses of links and redirects, which browsers open, and those that mini programs call (contract.md 8)."""

from typing import Final

from handlers.http import patterns
from handlers.http.operation import NAME, TEXT, Answer, Operation, Schema, in_path, in_query, json_body, text
from handlers.http.pictures import DOWNLOAD
from handlers.http.request_body import FORM
from handlers.methods import links, mini_program, redirects, schemas
from models import errors

_TAG: Final = "sign_in_pages"
_HTML: Final = {"text/html": TEXT}
_CAPABILITY: Final = in_path(
    "capability", text(76, patterns.PERMIT), "From `authorize_url`, `panel.src` or `qr_url` of a ticket."
)
_PAGES: Final = {
    400: Answer("Nothing was used up: the address or the state is not valid, over, or another browser's.", _HTML),
    429: Answer("Too many pages were opened from this address.", _HTML, ("Retry-After",)),
    503: Answer("A store is unavailable.", _HTML, ("Retry-After",)),
}
_STATE: Final = in_path("state", text(32, "[0-9a-f]{32}"), "As in the address of WeChat.")
_LINK_PAGE: Final = "/link/{capability}/{state}"
_ANSWER: Final = {
    "type": "object",
    "required": ["token", "answer"],
    "properties": {
        "token": text(32),
        "answer": {**text(32), "description": "`yes`, `no`, or a number; with a text field `no` may come second."},
    },
}
_APP: Final = in_path("app", NAME, "The name of the mini program in the configuration.")
_PICTURE: Final[Schema] = {}  # bytes have no schema in OpenAPI 3.1
_LEAVING: Final = {302: Answer("To WeChat.", headers=("Location", "Set-Cookie")), **_PAGES}


def _leaving(identifier: str, path: str, handler: redirects.Handler) -> Operation:
    # No HEAD: aiohttp would run the GET handler for it, and the first browser owns the ticket.
    return Operation(
        *(_TAG, identifier, "GET", path, handler),
        parameters=(_CAPABILITY,),
        answers=_LEAVING,
        refuses=(errors.ForbiddenOrigin,),
        head=False,
    )


OPERATIONS: Final = (
    _leaving("openAuthorization", "/authorize/{capability}", redirects.authorize),
    _leaving("openPanel", "/panel/{capability}", redirects.panel),
    _leaving("askWeChatForMore", "/authorize/{capability}/userinfo", redirects.userinfo),
    Operation(
        *(_TAG, "showWhatIsAsked", "GET", "/authorize/{capability}/more", redirects.ask_more),
        parameters=(_CAPABILITY,),
        answers={200: Answer("A page that explains what WeChat will ask.", _HTML), **_PAGES},
        head=False,
    ),
    Operation(
        *(_TAG, "returnFromWeChat", "GET", "/oauth/{name}", redirects.callback),
        parameters=(
            in_path("name", NAME, "The name of the account or app."),
            in_query("code", text(512), "WeChat's code; missing if the person refused."),
            in_query("state", text(128), "As in the address of WeChat."),
        ),
        answers={
            303: Answer("To the `return_url`, with code and state, or error and state.", headers=("Location",)),
            200: Answer("A page: of a panel, which hands them to the site's page, or of a snapshot.", _HTML),
            **_PAGES,
        },
        head=False,
    ),
    Operation(
        *(_TAG, "openLink", "GET", "/link/{capability}", links.enter),
        parameters=(_CAPABILITY,),
        answers={200: Answer("Outside WeChat: a page that says how to open it there.", _HTML), **_LEAVING},
        refuses=(errors.ForbiddenOrigin,),
        head=False,
    ),
    Operation(
        *(_TAG, "showQuestion", "GET", _LINK_PAGE, links.show),
        parameters=(_CAPABILITY, _STATE, in_query("again", text(8), "After a form without an answer.")),
        answers={
            200: Answer("A page with the question, or with how the ticket ended.", _HTML),
            303: Answer("To `/link/{capability}`: WeChat named another browser.", headers=("Location",)),
            502: Answer("WeChat did not say who the person is.", _HTML),
            **_PAGES,
        },
        head=False,
    ),
    Operation(
        *(_TAG, "answerQuestion", "POST", _LINK_PAGE, links.answer),
        parameters=(_CAPABILITY, _STATE),
        raw_body={FORM: _ANSWER},
        answers={
            303: Answer("To the page, which shows how the ticket ended, or asks again.", headers=("Location",)),
            403: Answer("Another page's form, another browser's or another person's; nothing was changed.", _HTML),
            **_PAGES,
        },
        refuses=(errors.PayloadTooLarge, errors.UnsupportedMediaType),
    ),
    Operation(
        *("mini_program", "scanInMiniProgram", "POST", "/v1/miniprogram/{app}/scans", mini_program.scan),
        parameters=(_APP,),
        body=schemas.ScanRequest,
        answers={200: json_body("What to ask. The ticket is marked as scanned by this person.", schemas.Asked)},
        refuses=(
            *(errors.TicketNotFound, errors.TicketFinished, errors.InvalidCode, errors.PersonBlocked),
            *(errors.WeChatUnavailable, errors.RateLimited),
        ),
    ),
    Operation(
        *("mini_program", "answerInMiniProgram", "POST", "/v1/miniprogram/{app}/answers", mini_program.answer),
        parameters=(_APP,),
        body=schemas.AnswerRequest,
        answers={200: json_body("How the ticket ended, also for the same answer again.", schemas.Told)},
        refuses=(errors.InvalidCode, errors.TicketFinished, errors.RateLimited),
    ),
    Operation(
        *("qr", "readCodePicture", "GET", "/v1/code-pictures/{capability}", mini_program.picture),
        parameters=(
            in_path("capability", text(76, patterns.PERMIT), "From `qr_png` of a ticket of a mini program."),
            DOWNLOAD,
        ),
        answers={200: Answer("The code as WeChat drew it.", {"image/jpeg": _PICTURE, "image/png": _PICTURE})},
        refuses=(errors.NotFound,),
    ),
)
