"""The events that sites and the operator are told of by webhooks (contract.md 9). Values only."""

from enum import StrEnum
from typing import Final


class WebhookEvent(StrEnum):
    """The `type` of a webhook."""

    BINDING_CREATED = "binding.created"
    BINDING_MOVED = "binding.moved"
    BINDING_REMOVED = "binding.removed"
    LOGIN_COMPLETED = "login.completed"
    REGISTRATION_COMPLETED = "registration.completed"
    FOLLOWED = "wechat.followed"
    UNFOLLOWED = "wechat.unfollowed"
    PERSON_CONFLICT = "person.conflict"
    WEBHOOK_DISABLED = "webhook.disabled"


OPERATORS: Final = frozenset({WebhookEvent.WEBHOOK_DISABLED})
"""Events of the operator; a site hears of all others."""


class RemovalReason(StrEnum):
    """Why a binding was removed: the `reason` of `binding.removed`."""

    USER = "user"
    SITE = "site"
    UNFOLLOWED = "unfollowed"
    ERASED = "erased"
    REPLACED = "replaced"
