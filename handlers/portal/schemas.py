"""What the JSON of the portal looks like: what back ends and its page send, and what they are answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.http import patterns
from handlers.http.schemas import AskedLang, Flag, Moment, Name, RequestBody, Seconds, UserId, UserName, documented
from models.binding import Change
from models.language import Lang
from models.portal import LINK_LIVES, SESSION_LIVES


class PortalRequest(RequestBody):
    user_id: UserId
    return_url: Annotated[str, Field(max_length=2048), documented(patterns.ADDRESS)] | None = None
    account_name: UserName | None = None
    only_login: Flag = False
    lang: AskedLang | None = None


class PortalTicketRequest(RequestBody):
    purpose: Literal["bind"] = "bind"
    account: Name | None = None


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

    model_config = ConfigDict(from_attributes=True)

    account: str
    bound_at: Moment
    last_login_at: Moment | None
    subscribed: bool


class PortalEntry(BaseModel):
    """Something that was done."""

    model_config = ConfigDict(from_attributes=True)

    change: Change
    account: str
    at: Moment


class PortalView(BaseModel):
    """What the portal shows to one user of a site."""

    site: SiteName
    account_name: str | None = Field(description="As the site calls the user.")
    return_url: str | None = Field(description="At one of the client's origins.")
    only_login: bool = Field(description="The site says: without a WeChat this user could not log in any more.")
    lang: Lang | None = Field(description="As the site asked; null leaves it to the page.")
    expires_in: Seconds
    first_visit: bool = Field(description="No earlier visit is remembered: say what is stored.")
    accounts: Annotated[list[str], Field(description="Those that may be bound; the first is the default.")]
    bindings: list[PortalBinding]
    history: Annotated[list[PortalEntry], Field(max_length=10, description="Newest first.")]
