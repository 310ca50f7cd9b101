"""What every feature is built on: settings, stores, keys, audit log, metrics and clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service.audit.log import AuditLog
from service.config.settings import Settings
from service.crypto.keyring import Keyring
from service.observability.metrics import Metrics
from service.storage.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """The arguments that all builders share; a service itself takes only those it needs."""

    settings: Settings
    stores: Stores
    keyring: Keyring
    audit: AuditLog
    metrics: Metrics
    clock: Callable[[], datetime]
