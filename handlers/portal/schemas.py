"""Request and response bodies of the portal."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.http import patterns
from handlers.http.schemas import (
    AskedLang,
    AskedMethod,
    Flag,
    Moment,
    Name,
    Profile,
    RequestBody,
    Seconds,
    UserId,
    UserName,
    documented,
)
from models.binding import Change
from models.language import Lang
from models.method import IdentityKind
from models.portal import LINK_LIVES, SESSION_LIVES


class PortalRequest(RequestBody):
    user_id: UserId
    return_url: Annotated[str, Field(max_length=2048), documented(patterns.ADDRESS)] | None = None
    account_name: UserName | None = None
    only_login: Flag = False
    lang: AskedLang | None = None


class PortalTicketRequest(RequestBody):
    purpose: Literal["bind"] = "bind"
    method: AskedMethod | None = None
    account: Name | None = None


class PortalLink(BaseModel):
    """A portal link: redirect the browser to `url`, or give `token` to `<scanbind-portal>` in a page."""

    url: str
    token: Annotated[str, Field(description="Opens the session once. Give it only to the user's own page.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(LINK_LIVES.total_seconds())])]


class PortalOpened(BaseModel):
    """An open session, for the page that opened it."""

    secret: Annotated[str, Field(description="Keep it in memory only.")]
    expires_in: Annotated[int, Field(ge=0, examples=[int(SESSION_LIVES.total_seconds())])]


class SiteName(BaseModel):
    zh: str
    en: str


class PortalBinding(BaseModel):
    """A binding as its owner reads it, without openid and unionid; one for each identity."""

    kind: IdentityKind
    account: str
    label: Annotated[str, Field(description="Tells one WeChat from another; of four characters.")]
    bound_at: Moment
    last_login_at: Moment | None
    subscribed: bool
    profile: Profile | None = Field(description="Null unless the client asks for profiles and one is known.")
    ends_on_unfollow: Annotated[bool, Field(description="Unfollowing the account erases the binding.")]


class PortalEntry(BaseModel):
    """One change of a binding."""

    model_config = ConfigDict(from_attributes=True)

    change: Change
    account: str
    at: Moment


class PortalView(BaseModel):
    """The portal's data for one user of a site."""

    site: SiteName
    account_name: str | None = Field(description="The site's name for the user.")
    return_url: str | None = Field(description="At one of the client's origins.")
    only_login: bool = Field(description="As the site set it: without a WeChat this user could no longer log in.")
    lang: Lang | None = Field(description="The site's choice; null: the page chooses.")
    expires_in: Seconds
    profiles: bool = Field(description="The client asks for names and pictures: the page says that they are kept.")
    first_visit: bool = Field(description="No earlier visit is stored: the page explains what data is kept.")
    accounts: Annotated[
        list[str],
        Field(description="The accounts, or else the apps, that can be bound; the first is the default."),
    ]
    bindings: list[PortalBinding]
    history: Annotated[list[PortalEntry], Field(max_length=10, description="Newest first.")]
