"""The settings of webhooks: where events are posted, and what signs them (contract.md 9)."""

from typing import Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from models.webhook import OPERATORS, WebhookEvent
from service.config.addresses import webhook_url
from service.config.fault import Fault
from service.config.section import Section
from service.config.types import WebhookKeys, WebhookSecrets

OF_SITES: Final = tuple(event for event in WebhookEvent if event not in OPERATORS)
"""The events that a site may hear of."""


class OperatorWebhook(Section):
    """An endpoint, signed for with either `secret` or `key`: the newest first, two while rotating."""

    allow_private: bool = False
    """Whether it may be http, and in a private network."""
    url: str = Field(repr=False)
    """May contain a token in its path or query."""
    key: WebhookKeys = ()
    """`whsk_` and the base64 of an ed25519 seed."""
    secret: WebhookSecrets = ()
    """`whsec_` and the base64 of the bytes that HMAC-SHA256 signs with."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str, info: ValidationInfo) -> str:
        return webhook_url(value, allow_private=info.data.get("allow_private", True))

    @field_validator("secret")
    @classmethod
    def _require_one(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and not info.data.get("key", True):
            raise Fault("is missing: set secret or key")
        if value and info.data.get("key"):
            raise Fault("must not be set beside key")
        return value


class Webhook(OperatorWebhook):
    """An endpoint of a site."""

    events: tuple[WebhookEvent, ...] = OF_SITES

    @field_validator("events")
    @classmethod
    def _check_events(cls, value: tuple[WebhookEvent, ...]) -> tuple[WebhookEvent, ...]:
        if not value:
            raise Fault("must name at least one event")
        if set(value) - set(OF_SITES):
            raise Fault("must be events of a site: webhook.disabled is the operator's")
        if len(set(value)) < len(value):
            raise Fault("must not contain duplicates")
        return value
