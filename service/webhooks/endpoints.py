"""The endpoints of webhooks, as they are configured. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from yarl import URL

from models.outbox import webhook_target
from models.webhook import OPERATORS, WebhookEvent
from service.config.settings import Settings
from service.config.webhooks import OperatorWebhook
from service.webhooks.signatures import Ed25519Signer, HmacSigner, Signer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events of one client are posted; of the operator, if `client` is None."""

    client: str | None
    url: str = field(repr=False)
    """May contain a token."""
    events: frozenset[WebhookEvent]
    signers: tuple[Signer, ...] = field(repr=False, compare=False)
    """Newest first."""
    allow_private: bool = False

    @property
    def target(self) -> str:
        """What the outbox calls it."""
        return webhook_target(self.client, self.url)

    @property
    def origin(self) -> str:
        """Return what the log calls it: without path and query."""
        return str(URL(self.url).origin())

    @property
    def shown(self) -> str:
        """Return the URL as lists show it: without its query."""
        return str(URL(self.url).with_query(None))


def endpoints(settings: Settings) -> Sequence[Endpoint]:
    """Return all endpoints, in the order of the configuration, the operator's last."""
    return tuple(_endpoints(settings))


def _endpoints(settings: Settings) -> Iterator[Endpoint]:
    for name, client in settings.clients.items():
        for webhook in client.webhooks:
            yield _endpoint(name, webhook, frozenset(webhook.events))
    if settings.operator.webhook is not None:
        yield _endpoint(None, settings.operator.webhook, OPERATORS)


def _endpoint(client: str | None, webhook: OperatorWebhook, events: frozenset[WebhookEvent]) -> Endpoint:
    signers: list[Signer] = [HmacSigner(secret.get_secret_value()) for secret in webhook.secret]
    signers += [Ed25519Signer(key.get_secret_value()) for key in webhook.key]
    return Endpoint(client, webhook.url, events, tuple(signers), webhook.allow_private)
