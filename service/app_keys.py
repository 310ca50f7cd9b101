"""The typed key of every resource the handlers use; service/server/app.py fills them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from aiohttp import web

from service.audit.log import Audit
from service.bindings.repository import Bindings
from service.config.settings import Settings
from service.crypto.client_secrets import Credentials
from service.crypto.keyring import Keyring
from service.observability.metrics import Metrics
from service.portal.sessions import Portal
from service.pushes.dispatcher import Scanning
from service.rate_limiting.open_waits import Waiting
from service.rate_limiting.rates import Limits
from service.tickets.code_exchange import Redeeming
from service.tickets.feed import Feed
from service.tickets.issuer import Issuing
from service.tickets.status import Following
from service.wechat.push_account import Account

Check = Callable[[], Awaitable[None]]
"""Returns if a dependency does its work; raises otherwise."""

SETTINGS: Final = web.AppKey("settings", Settings)
CREDENTIALS: Final = web.AppKey("credentials", Credentials)
CLOCK: Final[web.AppKey[Callable[[], datetime]]] = web.AppKey("clock")
METRICS: Final = web.AppKey("metrics", Metrics)
AUDIT: Final = web.AppKey("audit", Audit)
ACCOUNTS: Final = web.AppKey("accounts", Mapping[str, Account])
CHECKS: Final = web.AppKey("checks", Mapping[str, Check])
DRAINING: Final = web.AppKey("draining", asyncio.Event)
KEYRING: Final = web.AppKey("keyring", Keyring)
FEED: Final = web.AppKey("feed", Feed)
LIMITS: Final = web.AppKey("limits", Limits)
WAITING: Final = web.AppKey("waiting", Waiting)
ISSUING: Final = web.AppKey("issuing", Issuing)
FOLLOWING: Final = web.AppKey("following", Following)
SCANNING: Final = web.AppKey("scanning", Scanning)
REDEEMING: Final = web.AppKey("redeeming", Redeeming)
BINDINGS: Final = web.AppKey("bindings", Bindings)
PORTAL: Final = web.AppKey("portal", Portal)
