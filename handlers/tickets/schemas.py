"""Request and response bodies of tickets."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

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
    UserId,
    UserName,
)
from models.method import Method
from models.ticket import REGISTRATION_LIVES, Outcome, Purpose, Reason, Status, Via


class Visitor(RequestBody):
    """The site's visitor, as the chat shows them: their address and browser."""

    ip: Annotated[str, Field(max_length=64)] | None = None
    user_agent: Annotated[str, Field(max_length=1024)] | None = None


class LoginRequest(RequestBody):
    purpose: Literal["login"]
    client_id: Name | None = None
    method: AskedMethod | None = None
    account: Name | None = None
    lang: AskedLang | None = None
    state: Annotated[Opaque, Field(max_length=256)] | None = None
    visitor: Visitor | None = None


class BindTicketRequest(RequestBody):
    purpose: Literal["bind"]
    client_id: Name | None = None
    user_id: UserId
    method: AskedMethod | None = None
    account: Name | None = None
    lang: AskedLang | None = None
    account_name: UserName | None = None
    session: Annotated[Opaque, Field(max_length=128)] = ""
    refresh: Flag = False
    visitor: Visitor | None = None


TicketRequest = Annotated[LoginRequest | BindTicketRequest, Field(discriminator="purpose")]


class ExchangeRequest(RequestBody):
    code: Token


class TicketMade(BaseModel):
    """A new ticket, or the pending bind ticket of this user and session."""

    ticket: Annotated[str, Field(description="Useless without the secret; may be logged.")]
    secret: Annotated[str, Field(description="Allows reading and cancelling the ticket. Never put it into a URL.")]
    purpose: Purpose
    method: Method
    status: Literal["pending"]
    account: str
    qr_url: Annotated[str, Field(description="The content of the QR code.")]
    qr_svg: Path
    qr_png: Path
    created_at: Moment
    expires_at: Moment
    expires_in: Seconds
    poll_after: Seconds


class Code(BaseModel):
    """The QR code of a ticket."""

    ticket: str
    purpose: Purpose
    qr_url: Annotated[str, Field(description="The content of the QR code.")]
    qr_svg: Path
    qr_png: Path
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


Redeemed = Annotated[LoggedIn | Registers, Field(discriminator="outcome")]
