"""Who hears of which events, as it is configured."""

from models.notice import EVENTS
from models.outbox import notice_target, webhook_target
from models.webhook import OPERATORS
from service.config.settings import Settings
from service.crypto.field_encryption import FieldCipher
from service.outbox.outbox import Outbox, Subscription


def build_outbox(settings: Settings, cipher: FieldCipher) -> Outbox:
    """Build the outbox with a subscription for each endpoint of webhooks and for the notices of each client.

    *cipher* encrypts the events.
    """
    heard: dict[str | None, list[Subscription]] = {}
    for name, client in settings.clients.items():
        for webhook in client.webhooks:
            target = webhook_target(name, webhook.url)
            heard.setdefault(name, []).append(Subscription(target, frozenset(webhook.events)))
        if client.notices:
            heard.setdefault(name, []).append(Subscription(notice_target(name), EVENTS, notices=True))
    if (operators := settings.operator.webhook) is not None:
        heard[None] = [Subscription(webhook_target(None, operators.url), OPERATORS)]
    return Outbox(cipher, heard)
