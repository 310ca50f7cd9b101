"""Request and response bodies of tickets."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from handlers.http import patterns
from handlers.http.schemas import (
    AskedLang,
    AskedMethod,
    Flag,
    Identity,
    Moment,
    Name,
    Opaque,
    Path,
    RequestBody,
    Seconds,
    Token,
    Url,
    UserId,
    UserName,
)
from models.method import Method
from models.ticket import REGISTRATION_LIVES, Outcome, Purpose, Reason, Status, Via

POLL_AFTER: Final = 2
"""Seconds between two polls, which the page gets as `poll_after`."""


class Visitor(RequestBody):
    """The site's visitor, as the chat shows them: their address and browser."""

    ip: Annotated[str, Field(max_length=64)] | None = None
    user_agent: Annotated[str, Field(max_length=1024)] | None = None


class _TicketRequest(RequestBody):
    client_id: Name | None = None
    method: AskedMethod | None = None
    account: Name | None = None
    lang: AskedLang | None = None
    return_url: Annotated[str, Field(max_length=2048)] | None = None
    """One of the client's `return_urls`."""
    state: Annotated[Opaque, Field(max_length=256)] | None = None
    visitor: Visitor | None = None


class LoginRequest(_TicketRequest):
    purpose: Literal["login"]


class BindTicketRequest(_TicketRequest):
    purpose: Literal["bind"]
    user_id: UserId
    account_name: UserName | None = None
    session: Annotated[Opaque, Field(max_length=128)] = ""
    refresh: Flag = False


TicketRequest = Annotated[LoginRequest | BindTicketRequest, Field(discriminator="purpose")]


class ExchangeRequest(RequestBody):
    code: Token


Methods = Annotated[list[Method], Field(description="All that the client offers, in its order.")]


class Panel(BaseModel):
    """A frame in which people sign in without leaving the site's page."""

    src: Url
    allow: Annotated[str, Field(description="The frame's `allow` attribute.")]
    sandbox: Annotated[str, Field(description="The frame's `sandbox` attribute.")]


class SendTo(BaseModel):
    """The account to whose chat people send a passcode."""

    name: Annotated[str, Field(description="How people find it in WeChat.")]
    qr_png: Annotated[Path, Field(description="Its own QR code: people who scan it can follow it.")] | None


class Shown(BaseModel):
    """What the browser shows for a ticket: a code or, with redirect methods, the way to WeChat."""

    qr_url: Annotated[str, Field(description="The content of the QR code.")] | None = None
    qr_svg: Path | None = None
    qr_png: Path | None = None
    open_url: (
        Annotated[
            str, Field(pattern="^weixin://", description="Opens the code's page in WeChat on the same phone.")
        ]
        | None
    ) = None
    passcode: (
        Annotated[str, Field(pattern=f"^{patterns.PASSCODE}$", description="To send to the chat of `send_to`.")]
        | None
    ) = None
    send_to: SendTo | None = None
    authorize_url: (
        Annotated[Url, Field(description="Where to send the browser. Belongs to the first browser that opens it.")]
        | None
    ) = None
    panel: Annotated[Panel, Field(description="The same for a frame, if the method has one.")] | None = None


class TicketMade(Shown):
    """A new ticket, or the pending bind ticket of this user and session."""

    ticket: Annotated[str, Field(description="Useless without the secret; may be logged.")]
    secret: Annotated[str, Field(description="Allows reading and cancelling the ticket. Never put it into a URL.")]
    purpose: Purpose
    method: Method
    status: Literal["pending"]
    methods: Methods
    account: str
    created_at: Moment
    expires_at: Moment
    expires_in: Seconds
    poll_after: Seconds


class Code(Shown):
    """What a page shows for a ticket."""

    ticket: str
    purpose: Purpose
    method: Method
    methods: Methods
    expires_at: Moment
    expires_in: Seconds


class TicketState(BaseModel):
    """A ticket's state. It never identifies the person who scanned."""

    ticket: str
    purpose: Purpose
    method: Method
    status: Status
    match: Annotated[str, Field(pattern="^[1-9][0-9]$")] | None = Field(
        description="The digits to show in large type while the chat asks for them."
    )
    outcome: Outcome | None = Field(description="How a confirmed ticket ended.")
    reason: Reason | None = Field(description="Why the ticket was rejected.")
    code: str | None = Field(description="For `POST /v1/exchange`, once, within 60 seconds; null once exchanged.")
    expires_at: Moment
    expires_in: Seconds
    poll_after: Seconds


class _Person(Identity):
    appid: str
    subscribed: bool
    state: Annotated[
        str | None,
        Field(description="As sent with the ticket. A site that sent one must refuse any other value and null."),
    ]
    via: Via


class LoggedIn(_Person):
    """The person's WeChat is bound to a user of the site."""

    outcome: Literal["login"]
    user_id: str
    bound_at: Moment


class Registers(_Person):
    """The person's WeChat is bound to no user of the site."""

    outcome: Literal["register"]
    registration: Annotated[str, Field(description="For `POST /v1/bindings`, once the site has a user.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(REGISTRATION_LIVES.total_seconds())])]


class BoundByExchange(_Person):
    """The person's WeChat was bound by this exchange, of a redirect."""

    outcome: Literal[Outcome.BOUND, Outcome.ALREADY_BOUND]
    user_id: str
    bound_at: Moment


Redeemed = Annotated[LoggedIn | Registers | BoundByExchange, Field(discriminator="outcome")]
