"""Bindings of a site's users to WeChat identities. Values only; see service/bindings/repository.py."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from models.events import OpenId
from models.method import Method

UserId = NewType("UserId", str)
"""A site's own id of its user: 1-128 printable code points, kept exactly as given."""


class ConflictReason(StrEnum):
    """Why a binding cannot be made (`reason` in contract.md 4)."""

    WECHAT = "wechat_taken"
    """The WeChat already belongs to another user of this client."""
    USER = "user_taken"
    """The user already has another WeChat of this account."""


def wechat_label(account: str, openid: OpenId) -> str:
    """Return four characters by which a person tells one WeChat from another. They do not reveal the openid."""
    return hashlib.sha256(f"{account} {openid}".encode()).hexdigest()[-4:].upper()


@dataclass(frozen=True, slots=True)
class Policy:
    """How a client resolves a conflict of bindings, and the consent that it asks for (contract.md 1)."""

    rebind_replaces: bool = False
    takeover_moves: bool = False
    consent: str | None = None
    """The version of the site's notice that users agree to; stored with each binding."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A user of one client, bound to a follower of one account."""

    client: str
    account: str
    user_id: UserId
    openid: OpenId
    bound_at: datetime
    last_login_at: datetime | None = None
    unionid: str | None = None
    subscribed: bool = True
    consent: str | None = None
    appid: str | None = None
    """The appid that the openid belongs to; None if not known."""
    method: Method = Method.SCAN
    """How it was bound."""

    @property
    def label(self) -> str:
        return wechat_label(self.account, self.openid)


@dataclass(frozen=True, slots=True)
class Bound:
    """The binding was made."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class AlreadyBound:
    """The user was already bound to this WeChat. Nothing changed except the consent."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another binding exists, and the client's policy does not replace it."""

    reason: ConflictReason


BindResult = Bound | AlreadyBound | Conflict


class ChangeSource(StrEnum):
    """What changed a binding; stored in the history."""

    TICKET = "ticket"
    REGISTRATION = "registration"
    SITE = "site"
    PORTAL = "portal"
    UNFOLLOW = "unfollow"
    REVOCATION = "revocation"
    CANCELLATION = "cancellation"
    PRIVACY = "privacy"
    UNIONID = "unionid"
    MIGRATION = "migration"
    UNDO = "undo"
    """The page that a notice leads to."""


class Change(StrEnum):
    """How a binding changed; stored in the history."""

    BOUND = "bound"
    REPLACED = "replaced"
    MOVED = "moved"
    DISCONNECTED = "disconnected"
    ERASED = "erased"
    MIGRATED = "migrated"
    """The same user and person, under the openid of the account that theirs was migrated to."""
