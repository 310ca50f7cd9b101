"""A browser's way to WeChat's web authorization and back (contract.md 8.3, 8.4). Values; no I/O, no clock."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from models.binding import UserId
from models.errors import ServiceError
from models.events import OpenId
from models.ticket import Reason, TicketId

REPLAYED_FOR: Final = timedelta(minutes=10)
"""How long the same browser gets the same outcome again, for the same code."""


class Way(StrEnum):
    """What a browser opened to get to WeChat."""

    REDIRECT = "redirect"
    """`authorize_url`, in a window of its own."""
    PANEL = "panel"
    """`panel.src`, in a frame of the site's page."""
    LINK = "link"
    """The address in the QR code of the method `link`."""


class Scope(StrEnum):
    """What WeChat is asked for (wechat-protocol.md 5, 6, 7)."""

    LOGIN = "snsapi_login"
    """Of website applications, and of WeCom on a page that asks."""
    BASE = "snsapi_base"
    """Inside WeChat or WeCom: the openid or userid alone, without a question to the person."""
    USERINFO = "snsapi_userinfo"
    """Inside WeChat: the person is asked; also tells the unionid."""


class ReturnError(StrEnum):
    """What a site is told about an authorization that failed (contract.md 8.3)."""

    ACCESS_DENIED = "access_denied"
    INVALID_REQUEST = "invalid_request"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    SERVER_ERROR = "server_error"


_ERRORS: Final[Mapping[int | None, ReturnError]] = {
    **dict.fromkeys((40029, 40163, 42003), ReturnError.INVALID_REQUEST),
    **dict.fromkeys((None, -1, 45009, 45011, 60020), ReturnError.TEMPORARILY_UNAVAILABLE),
}


def error_of(errcode: int | None) -> ReturnError:
    """Return what a site is told when WeChat answered *errcode*; None is no answer."""
    return _ERRORS.get(errcode, ReturnError.SERVER_ERROR)


class UnusableAuthorization(ServiceError):
    """The address is unknown, used, over, or another browser's. Callers cannot tell which; nothing was used up."""


class CookieMissing(UnusableAuthorization):
    """The browser did not send its cookie back from a panel; `client` and `ticket` say whose panel it was."""

    def __init__(self, *, client: str) -> None:
        super().__init__()
        self.client = client


class ForeignForm(ServiceError):
    """A form that the service's own page did not show to this person in this browser. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class ReturnTo:
    """Where a site wants the browser back, and the site's own value to compare then."""

    url: str
    state: str
    """Empty for the portal, whose session proves the browser."""
    portal: str = ""
    """The portal session that bound, if one did: then the bind needs no exchange."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The part of a redirect ticket that only Redis has: losing it costs another try."""

    account: str
    """The name of the account or app."""
    back: ReturnTo
    user_id: UserId | None = None
    """Of a bind, which its ticket proves."""
    owners: Mapping[Way, str] = field(default_factory=dict)
    """The first browser to open each address, as `browser_of` names it."""
    openid: OpenId | None = None
    """Of a bind: the person who came back; the exchange binds them."""
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """One visit of a browser to WeChat. Its key is the `state` in the address."""

    ticket: TicketId
    client: str
    account: str
    way: Way
    scope: Scope
    browser: str
    code: str | None = None
    """What WeChat came back with, as `digest_of` names it. The first code is the only one."""
    answered_at: datetime | None = None
    """When it came back."""
    outcome: str | None = None
    """A ReturnError, or one of the words below; None until it is known."""
    user_id: UserId | None = None
    """Of a bind, which its ticket proves. Saves reading it from SQL at each step."""
    openid: OpenId | None = None
    """Of a link: the person, who is asked then."""
    unionid: str | None = None
    refused: Reason | None = None
    """Of a link: how the person's answer ended the ticket. SQL does not know who refused before they signed in."""


DONE: Final = "done"
"""The outcome of an authorization that identified the person."""
SNAPSHOT: Final = "snapshot"
"""The person sees a snapshot of a page: their openid is not theirs (wechat-protocol.md 6)."""
OVER: Final = "over"
"""The ticket ended in the meantime, or belongs to another person."""
MORE: Final = "more"
"""WeChat is to be asked again, for more than the openid."""


def browser_of(ticket: TicketId, cookie: str) -> str:
    """Return the name under which a ticket knows a browser; each ticket knows it by another."""
    return digest_of(f"{ticket}\0{cookie}")


def digest_of(text: str) -> str:
    """Return what identifies *text* without revealing it: 128 bits in hexadecimal."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
