"""Builds the notices of clients, and what undoes a bind."""

from collections.abc import Mapping
from typing import Any

from models.outbox import notice_target
from service.bindings.undoing import BindingUndo
from service.foundation import Foundation
from service.identities.repository import Identities
from service.notices.delivery import NoticeDelivery
from service.notices.undo import Undo
from service.rate_limiting.notice_limits import NoticeLimits
from service.wechat.api import WeChatApi


def notice_targets(
    base: Foundation, *, identities: Identities, apis: Mapping[str, WeChatApi]
) -> Mapping[str, NoticeDelivery]:
    """Return the target of each client with notices, by its name in the outbox."""
    shared: dict[str, Any] = {
        "public_url": base.settings.server.public_url,
        "database": base.stores.database,
        "identities": identities,
        "limits": NoticeLimits(base.stores.redis),
        "metrics": base.metrics,
        "clock": base.clock,
    }
    return {
        notice_target(name): NoticeDelivery(
            name=name,
            client=client,
            keys=base.keyring.newest(name),
            apis={account: apis[account] for account in client.accounts if account in apis},
            **shared,
        )
        for name, client in base.settings.clients.items()
        if client.notices
    }


def build_undo(base: Foundation, *, identities: Identities) -> Undo:
    """Build what undoes a bind."""
    bindings = BindingUndo(base.stores.database, identities)
    return Undo(bindings=bindings, keyring=base.keyring, clock=base.clock)
