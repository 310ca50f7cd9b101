"""Builds the delivery of webhooks."""

from collections.abc import Mapping
from typing import Any

from service.foundation import Foundation
from service.outbox.outbox import Outbox
from service.webhooks.delivery import EndpointDelivery
from service.webhooks.endpoints import endpoints
from service.webhooks.post import WebhookPost


def webhook_targets(base: Foundation, *, outbox: Outbox, http: WebhookPost) -> Mapping[str, EndpointDelivery]:
    """Return the target of each endpoint, by its name in the outbox."""
    shared: dict[str, Any] = {"http": http, "outbox": outbox, "metrics": base.metrics, "clock": base.clock}
    return {one.target: EndpointDelivery(endpoint=one, **shared) for one in endpoints(base.settings)}
