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


class _ClientData(BaseModel):
    client: str


class IdentityData(_ClientData):
    """What happened to a user's WeChat."""

    user_id: str
    identity: WebhookIdentity


class MovedData(IdentityData):
    """A WeChat was bound to `user_id`, and to another user before."""

    previous: Annotated[str, Field(description="The user that it was bound to.")]


class RemovedData(IdentityData):
    """A binding ended."""

    reason: RemovalReason


class TicketData(IdentityData):
    """A user signed in or was registered."""

    ticket: str


class ConflictData(_ClientData):
    """Persons bound to different users turned out to be one; each goes on logging in to their own user."""

    user_ids: list[str]
    identities: list[IdentityOfUser]


class DisabledData(_ClientData):
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
    data: IdentityData


class BindingMoved(_Payload):
    """A WeChat was bound to another user than before."""

    type: Literal[WebhookEvent.BINDING_MOVED]
    data: MovedData


class BindingRemoved(_Payload):
    """A binding ended."""

    type: Literal[WebhookEvent.BINDING_REMOVED]
    data: RemovedData


class LoginCompleted(_Payload):
    """An exchange logged a user in."""

    type: Literal[WebhookEvent.LOGIN_COMPLETED]
    data: TicketData


class RegistrationCompleted(_Payload):
    """A registration was used to bind a new user."""

    type: Literal[WebhookEvent.REGISTRATION_COMPLETED]
    data: TicketData


class WeChatFollowed(_Payload):
    """A person who is bound follows the account."""

    type: Literal[WebhookEvent.FOLLOWED]
    data: IdentityData


class WeChatUnfollowed(_Payload):
    """A person who was bound follows the account no more."""

    type: Literal[WebhookEvent.UNFOLLOWED]
    data: IdentityData


class PersonConflict(_Payload):
    """Two persons who are bound to different users turned out to be one."""

    type: Literal[WebhookEvent.PERSON_CONFLICT]
    data: ConflictData


class WebhookDisabled(_Payload):
    """An endpoint was disabled. Sent to the operator alone."""

    type: Literal[WebhookEvent.WEBHOOK_DISABLED]
    data: DisabledData


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
