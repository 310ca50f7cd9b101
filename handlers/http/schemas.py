"""What JSON answers look like, as /openapi.json tells it. Handlers write them; a test holds the two together."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from models.binding import Change
from models.language import Lang
from models.portal import LINK_LIVES, SESSION_LIVES
from models.ticket import REGISTRATION_LIVES, Outcome, Purpose, Reason, Status, Via

_Seconds = Annotated[int, Field(ge=0, description="Whole seconds.")]
_Path = Annotated[str, Field(pattern="^/", description="Below the service's own address.")]
_UnionId = Annotated[str | None, Field(description="One for all accounts of an Open Platform; null if not known.")]


class TicketMade(BaseModel):
    """A new ticket, or the bind ticket that this user and session are already shown."""

    ticket: Annotated[str, Field(description="Worth nothing alone; may be logged.")]
    secret: Annotated[str, Field(description="Lets its holder follow and cancel. Never put it into an address.")]
    purpose: Purpose
    status: Literal["pending"]
    account: str
    qr_url: Annotated[str, Field(description="What the code says.")]
    qr_svg: _Path
    qr_png: _Path
    created_at: datetime
    expires_at: datetime
    expires_in: _Seconds
    poll_after: _Seconds


class Code(BaseModel):
    """Where the code of a ticket is."""

    ticket: str
    purpose: Purpose
    qr_url: Annotated[str, Field(description="What the code says.")]
    qr_svg: _Path
    qr_png: _Path
    expires_at: datetime
    expires_in: _Seconds


class TicketState(BaseModel):
    """How a ticket stands. Never says who scanned it."""

    ticket: str
    purpose: Purpose
    status: Status
    match: Annotated[str, Field(pattern="^[1-9][0-9]$")] | None = Field(
        description="The digits to show in large type while the phone is asked for them."
    )
    outcome: Outcome | None = Field(description="How a confirmed ticket ended.")
    reason: Reason | None = Field(description="Why a rejected ticket ended.")
    code: str | None = Field(description="For `POST /v1/exchange`, once, within 60 seconds; null once exchanged.")
    expires_at: datetime
    expires_in: _Seconds
    poll_after: _Seconds


class _Person(BaseModel):
    openid: str
    unionid: _UnionId
    account: str
    appid: str
    subscribed: bool
    state: Annotated[
        str | None,
        Field(description="What the page gave. If the site gave one, it must be the same; null never is."),
    ]
    via: Via


class LoggedIn(_Person):
    """Somebody who is bound to a user of the site."""

    outcome: Literal["login"]
    user_id: str
    bound_at: datetime


class Registers(_Person):
    """Somebody whose WeChat nobody has yet."""

    outcome: Literal["register"]
    registration: Annotated[str, Field(description="For `POST /v1/bindings`, once the site knows its user.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(REGISTRATION_LIVES.total_seconds())])]


Redeemed = Annotated[LoggedIn | Registers, Field(discriminator="outcome")]


class Binding(BaseModel):
    """A WeChat that logs a user in."""

    account: str
    appid: str | None = Field(description="Null when the account is no longer configured.")
    openid: str
    unionid: _UnionId
    subscribed: bool
    bound_at: datetime
    last_login_at: datetime | None
    consent: str | None = Field(description="Which version of the site's notice was agreed to, if it has one.")


class BindingMade(Binding):
    """A binding and whose it is."""

    user_id: str


class Bindings(BaseModel):
    """All bindings of one user."""

    user_id: str
    bindings: list[Binding]


class PortalLink(BaseModel):
    """The way into the portal: send the browser to `url`, or give `token` to a page's element."""

    url: str
    token: Annotated[str, Field(description="Opens the session once. For the site's own page of that user alone.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(LINK_LIVES.total_seconds())])]


class PortalOpened(BaseModel):
    """An open session, for the page that opened it."""

    secret: Annotated[str, Field(description="To be kept in memory alone.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(SESSION_LIVES.total_seconds())])]


class SiteName(BaseModel):
    zh: str
    en: str


class PortalBinding(BaseModel):
    """A WeChat that is bound, as its owner is told of it: never by WeChat's own names for them."""

    account: str
    bound_at: datetime
    last_login_at: datetime | None
    subscribed: bool


class PortalEntry(BaseModel):
    """Something that was done."""

    change: Change
    account: str
    at: datetime


class PortalView(BaseModel):
    """What the portal shows to one user of a site."""

    site: SiteName
    account_name: str | None = Field(description="As the site calls the user.")
    return_url: str | None = Field(description="At one of the client's origins.")
    only_login: bool = Field(description="The site says: without a WeChat this user could not log in any more.")
    lang: Lang | None = Field(description="As the site asked; null leaves it to the page.")
    expires_in: _Seconds
    first_visit: bool = Field(description="No earlier visit is remembered: say what is stored.")
    accounts: Annotated[list[str], Field(description="Those that may be bound; the first is the default.")]
    bindings: list[PortalBinding]
    history: Annotated[list[PortalEntry], Field(max_length=10, description="Newest first.")]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Field(description="The request's id, as in `X-Request-Id`.")]


class Conflict(Problem):
    """A binding that cannot be made."""

    reason: Literal["wechat_taken", "user_taken"]


class Liveness(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    status: Literal["ready", "not ready", "draining"]
    checks: dict[str, Literal["ok", "down"]]


TICKET_MADE: Final = TypeAdapter(TicketMade)
CODE: Final = TypeAdapter(Code)
TICKET_STATE: Final = TypeAdapter(TicketState)
REDEEMED: Final[TypeAdapter[LoggedIn | Registers]] = TypeAdapter(Redeemed)
BINDING_MADE: Final = TypeAdapter(BindingMade)
BINDINGS: Final = TypeAdapter(Bindings)
PORTAL_LINK: Final = TypeAdapter(PortalLink)
PORTAL_OPENED: Final = TypeAdapter(PortalOpened)
PORTAL_VIEW: Final = TypeAdapter(PortalView)
PROBLEM: Final = TypeAdapter(Problem)
CONFLICT: Final = TypeAdapter(Conflict)
LIVENESS: Final = TypeAdapter(Liveness)
READINESS: Final = TypeAdapter(Readiness)
