"""The addresses that browsers open on their way to WeChat and back (contract.md 8.3)."""

from typing import Final

from handlers.http import patterns
from handlers.http.operation import LINE, NAME, TEXT, Answer, Operation, in_path, in_query, text
from handlers.methods import redirects
from models import errors

_TAG: Final = "sign_in_pages"
_HTML: Final = {"text/html": TEXT}
_CAPABILITY: Final = in_path(
    "capability", text(76, patterns.PERMIT), "From `authorize_url` or `panel.src` of a ticket."
)
_PAGES: Final = {
    400: Answer("Nothing was used up: the address or the state is not valid, over, or another browser's.", _HTML),
    429: Answer("Too many pages were opened from this address.", _HTML, ("Retry-After",)),
    503: Answer("A store is unavailable.", _HTML, ("Retry-After",)),
}
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
            in_query("code", LINE, "WeChat's code; missing if the person refused."),
            in_query("state", LINE, "As in the address of WeChat."),
        ),
        answers={
            303: Answer("To the `return_url`, with code and state, or error and state.", headers=("Location",)),
            200: Answer("A page: of a panel, which hands them to the site's page, or of a snapshot.", _HTML),
            **_PAGES,
        },
        head=False,
    ),
)
