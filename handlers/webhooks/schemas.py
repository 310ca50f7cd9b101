"""The bodies of webhooks, for /openapi.json (contract.md 9)."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from handlers.http.schemas import KnownIdentity, Moment, Url
from models.webhook import RemovalReason, WebhookEvent


class WebhookIdentity(KnownIdentity):
    """The person's WeChat, as when the event happened."""

    subscribed: bool


class IdentityOfUser(WebhookIdentity):
    """A WeChat of one of the two persons, and the user that it is bound to."""

    user_id: str


class _OfClient(BaseModel):
    client: str


class OfIdentity(_OfClient):
    """What happened to a user's WeChat."""

    user_id: str
    identity: WebhookIdentity


class Moved(OfIdentity):
    """A WeChat was bound to `user_id`, and to another user before."""

    previous: Annotated[str, Field(description="The user that it was bound to.")]


class Removed(OfIdentity):
    """A binding ended."""

    reason: RemovalReason


class OfTicket(OfIdentity):
    """A user signed in or was registered."""

    ticket: str


class PersonsInConflict(_OfClient):
    """Persons bound to different users turned out to be one; each goes on logging in to their own user."""

    user_ids: list[str]
    identities: list[IdentityOfUser]


class Disabled(_OfClient):
    """Nothing more is posted to an endpoint of the client, until the operator enables it."""

    url: Annotated[Url, Field(description="Without its query.")]
    reason: Annotated[Literal["gone", "failing"], Field(description="`gone`: it answered 410.")]
    since: Annotated[Moment, Field(description="Since when it fails.")]


class _Payload(BaseModel):
    type: str
    timestamp: Annotated[Moment, Field(description="When it happened.")]


class BindingCreated(_Payload):
    """A WeChat was bound to a user."""

    type: Literal[WebhookEvent.BINDING_CREATED]
    data: OfIdentity


class BindingMoved(_Payload):
    """A WeChat was bound to another user than before."""

    type: Literal[WebhookEvent.BINDING_MOVED]
    data: Moved


class BindingRemoved(_Payload):
    """A binding ended."""

    type: Literal[WebhookEvent.BINDING_REMOVED]
    data: Removed


class LoginCompleted(_Payload):
    """An exchange logged a user in."""

    type: Literal[WebhookEvent.LOGIN_COMPLETED]
    data: OfTicket


class RegistrationCompleted(_Payload):
    """A registration was used to bind a new user."""

    type: Literal[WebhookEvent.REGISTRATION_COMPLETED]
    data: OfTicket


class WeChatFollowed(_Payload):
    """A person who is bound follows the account."""

    type: Literal[WebhookEvent.FOLLOWED]
    data: OfIdentity


class WeChatUnfollowed(_Payload):
    """A person who was bound follows the account no more."""

    type: Literal[WebhookEvent.UNFOLLOWED]
    data: OfIdentity


class PersonConflict(_Payload):
    """Two persons who are bound to different users turned out to be one."""

    type: Literal[WebhookEvent.PERSON_CONFLICT]
    data: PersonsInConflict


class WebhookDisabled(_Payload):
    """An endpoint was disabled. Sent to the operator alone."""

    type: Literal[WebhookEvent.WEBHOOK_DISABLED]
    data: Disabled


PAYLOADS: Final[Mapping[WebhookEvent, type[BaseModel]]] = {
    WebhookEvent.BINDING_CREATED: BindingCreated,
    WebhookEvent.BINDING_MOVED: BindingMoved,
    WebhookEvent.BINDING_REMOVED: BindingRemoved,
    WebhookEvent.LOGIN_COMPLETED: LoginCompleted,
    WebhookEvent.REGISTRATION_COMPLETED: RegistrationCompleted,
    WebhookEvent.FOLLOWED: WeChatFollowed,
    WebhookEvent.UNFOLLOWED: WeChatUnfollowed,
    WebhookEvent.PERSON_CONFLICT: PersonConflict,
    WebhookEvent.WEBHOOK_DISABLED: WebhookDisabled,
}
