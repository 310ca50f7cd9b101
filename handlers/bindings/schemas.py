"""What the JSON of bindings looks like: what back ends send, and what they are answered."""

from pydantic import BaseModel, Field

from handlers.http.schemas import Moment, RequestBody, Token, UnionId, UserId


class BindingRequest(RequestBody):
    user_id: UserId
    registration: Token


class Binding(BaseModel):
    """A WeChat that logs a user in."""

    account: str
    appid: str | None = Field(description="Null when the account is no longer configured.")
    openid: str
    unionid: UnionId
    subscribed: bool
    bound_at: Moment
    last_login_at: Moment | None
    consent: str | None = Field(description="Which version of the site's notice was agreed to, if it has one.")


class BindingMade(Binding):
    """A binding and whose it is."""

    user_id: str


class Bindings(BaseModel):
    """All bindings of one user."""

    user_id: str
    bindings: list[Binding]
