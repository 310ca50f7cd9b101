"""The endpoints of the portal: its API and its pages."""

from typing import Final

from handlers.http import patterns
from handlers.http.authentication import ACCOUNT_HOLDER, CLIENT, LINK_HOLDER
from handlers.http.operation import (
    IF_NONE_MATCH,
    NAME,
    NOT_MODIFIED,
    TEXT,
    Answer,
    CrossOrigin,
    Links,
    Operation,
    in_path,
    in_query,
    json_body,
    text,
)
from handlers.http.schemas import USER_ID
from handlers.portal import api, pages, schemas
from handlers.tickets.routes import FOLLOW
from handlers.tickets.schemas import TicketMade
from models import errors
from models.language import Lang

_TAG: Final = "portal"
_PAGES: Final = "portal_pages"
_SESSION: Final = in_path(
    "session", text(22, patterns.SESSION), "The session's id: the part of `token` before the dot."
)
_TOKEN: Final = in_path("token", text(55, patterns.LINK), "The `token` of a portal session.")
_ACCOUNT: Final = in_path("account", NAME, "The account's name in the configuration.")
_USER_ID: Final = in_query("user_id", USER_ID.json_schema(), "The site's own id of its user.", required=True)
_LANG: Final = in_query("lang", {"enum": list(Lang)}, "The page's language; the browser's own if it is left out.")
_HTML: Final = {"text/html": TEXT}
_OPENING: Final = {
    200: Answer(
        "Not opened; the link stays unused. After a navigation that did not begin at its site, the page names the "
        "account and has a button that opens the link. In a frame of another site, the page asks for a window of "
        "its own.",
        _HTML,
    ),
    303: Answer("Opened: redirects to the portal's page.", headers=("Location", "Set-Cookie")),
    404: Answer("Unknown link.", _HTML),
    410: Answer("The link was opened before or has expired; the page links back to the site.", _HTML),
}
_OPEN: Final[Links] = {
    name: {"token": "$response.body#/token"} for name in ("followPortalLink", "confirmPortalLink")
}
_MAY_NOT_OPEN: Final = (errors.ForbiddenOrigin, errors.StoreUnavailable)

OPERATIONS: Final = (
    Operation(
        *(_TAG, "createPortalSession", "POST", "/v1/portal-sessions", api.create),
        caller=CLIENT,
        body=schemas.PortalRequest,
        answers={201: json_body("A link that works once.", schemas.PortalLink, links=_OPEN)},
    ),
    Operation(
        *(_TAG, "closePortalSessions", "DELETE", "/v1/portal-sessions", api.close_all),
        caller=CLIENT,
        parameters=(_USER_ID,),
        answers={204: Answer("All links and sessions of the user are closed.")},
    ),
    Operation(
        *(_TAG, "readPortalSession", "GET", "/v1/portal-sessions/{session}", api.read),
        caller=ACCOUNT_HOLDER,
        parameters=(_SESSION,),
        answers={200: json_body("The portal's data.", schemas.PortalView)},
        cross_origin=CrossOrigin.CALL,
        head=False,
    ),
    Operation(
        *(_TAG, "closePortalSession", "DELETE", "/v1/portal-sessions/{session}", api.close),
        caller=ACCOUNT_HOLDER,
        parameters=(_SESSION,),
        answers={204: Answer("The session is closed.")},
        cross_origin=CrossOrigin.CALL,
    ),
    Operation(
        *(_TAG, "openPortalSession", "POST", "/v1/portal-sessions/{session}/open", api.open_),
        caller=LINK_HOLDER,
        parameters=(_SESSION,),
        answers={200: json_body("The session is open.", schemas.PortalOpened)},
        cross_origin=CrossOrigin.CALL,
    ),
    Operation(
        *(_TAG, "createPortalTicket", "POST", "/v1/portal-sessions/{session}/tickets", api.bind),
        caller=ACCOUNT_HOLDER,
        body=schemas.PortalTicketRequest,
        parameters=(_SESSION,),
        answers={
            201: json_body("A new ticket.", TicketMade, links=FOLLOW),
            200: json_body("The session's pending bind ticket.", TicketMade, links=FOLLOW),
        },
        refuses=(errors.RateLimited, errors.WeChatUnavailable),
        cross_origin=CrossOrigin.CALL,
    ),
    Operation(
        *(
            _TAG,
            "deletePortalBinding",
            "DELETE",
            "/v1/portal-sessions/{session}/bindings/{account}",
            api.disconnect,
        ),
        caller=ACCOUNT_HOLDER,
        parameters=(_SESSION, _ACCOUNT),
        answers={204: Answer("Disconnected.")},
        refuses=(errors.BindingNotFound,),
        cross_origin=CrossOrigin.CALL,
    ),
    # No HEAD: aiohttp would run the GET handler for it, and the link works once.
    Operation(
        *(_PAGES, "followPortalLink", "GET", "/portal/open/{token}", pages.enter),
        parameters=(_TOKEN,),
        answers=_OPENING,
        refuses=_MAY_NOT_OPEN,
        head=False,
    ),
    Operation(
        *(_PAGES, "confirmPortalLink", "POST", "/portal/open/{token}", pages.go_on),
        parameters=(_TOKEN,),
        answers=_OPENING,
        refuses=_MAY_NOT_OPEN,
    ),
    Operation(
        *(_PAGES, "showPortal", "GET", "/portal/{session}", pages.show),
        parameters=(_SESSION, _LANG),
        answers={200: Answer("The portal's page.", _HTML)},
    ),
    Operation(
        *(_PAGES, "readPortalStyle", "GET", "/portal.css", pages.style),
        parameters=(IF_NONE_MATCH,),
        answers={200: Answer("The style sheet.", {"text/css": TEXT}, ("ETag",)), 304: NOT_MODIFIED},
    ),
    Operation(
        *(_PAGES, "readPortalIcon", "GET", "/portal.svg", pages.icon),
        parameters=(IF_NONE_MATCH,),
        answers={200: Answer("The icon.", {"image/svg+xml": TEXT}, ("ETag",)), 304: NOT_MODIFIED},
    ),
)
