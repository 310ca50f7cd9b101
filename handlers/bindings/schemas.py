"""Request and response bodies of bindings."""

from pydantic import BaseModel, Field

from handlers.http.schemas import Identity, Moment, RequestBody, Token, UserId


class BindingRequest(RequestBody):
    user_id: UserId
    registration: Token


class Binding(Identity):
    """A WeChat that is bound to a user and logs them in. A person may have one for each account and app."""

    subscribed: bool
    bound_at: Moment
    last_login_at: Moment | None
    consent: str | None = Field(description="The version of the site's notice that the person agreed to, if any.")


class BindingMade(Binding):
    """A binding with its user."""

    user_id: str


class Bindings(BaseModel):
    """All bindings of one user."""

    user_id: str
    bindings: list[Binding]
