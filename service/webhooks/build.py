"""Builds the delivery of webhooks."""

from typing import Any

from service.foundation import Foundation
from service.outbox.outbox import Outbox
from service.outbox.sender import Sender
from service.webhooks.delivery import EndpointDelivery
from service.webhooks.endpoints import endpoints
from service.webhooks.post import WebhookPost


def build_sender(base: Foundation, *, outbox: Outbox, http: WebhookPost) -> Sender:
    """Build the sender of events; run it beside the server, and let it wake at each commit."""
    shared: dict[str, Any] = {"http": http, "outbox": outbox, "metrics": base.metrics, "clock": base.clock}
    targets = {one.target: EndpointDelivery(endpoint=one, **shared) for one in endpoints(base.settings)}
    database = base.stores.database
    database.on_commit = outbox.committed
    return Sender(database=database, outbox=outbox, targets=targets, clock=base.clock)
