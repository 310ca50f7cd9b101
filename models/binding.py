"""Who is bound to whom. Values only; the database's constraints decide (service/bindings/repository.py)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from models.events import OpenId

UserId = NewType("UserId", str)
"""A site's own id of its user: 1-128 printable code points, kept exactly as given."""


class ConflictReason(StrEnum):
    """Why a binding cannot be made (contract.md 4, `reason`)."""

    WECHAT = "wechat_taken"
    """The WeChat already belongs to another user of this client."""
    USER = "user_taken"
    """The user already has another WeChat of this account."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client allows when a binding meets another one, and what people agree to (contract.md 1)."""

    rebind_replaces: bool = False
    takeover_moves: bool = False
    consent: str | None = None
    """Which version of its notice people agree to; kept with each binding."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One user of one client, bound to one WeChat of one account."""

    client: str
    account: str
    user_id: UserId
    openid: OpenId
    bound_at: datetime
    last_login_at: datetime | None = None
    unionid: str | None = None
    subscribed: bool = True
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """The binding was made."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class AlreadyBound:
    """This very user already had this very WeChat; nothing changed but what they have agreed to."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another binding stands in the way and the client's policy lets it stand."""

    reason: ConflictReason


BindResult = Bound | AlreadyBound | Conflict


class ChangeSource(StrEnum):
    """By which door a binding changed; kept in its history."""

    TICKET = "ticket"
    REGISTRATION = "registration"
    SITE = "site"
    PORTAL = "portal"
    UNFOLLOW = "unfollow"
    PRIVACY = "privacy"
    UNIONID = "unionid"


class Change(StrEnum):
    """What happened to a binding; kept in its history."""

    BOUND = "bound"
    REPLACED = "replaced"
    MOVED = "moved"
    DISCONNECTED = "disconnected"
    ERASED = "erased"
