"""Typed application keys of the resources that handlers use; service/server/app.py sets them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from aiohttp import web

from service.audit.log import AuditLog
from service.bindings.repository import Bindings
from service.concurrency.open_requests import OpenRequests
from service.config.settings import Settings
from service.crypto.client_secrets import ClientSecrets
from service.crypto.keyring import Keyring
from service.crypto.sealing import SealingKeys
from service.identities.profiles import Profiles
from service.methods.code_pictures import CodePictures
from service.methods.links import Links
from service.methods.mini_program_scans import MiniProgramScans
from service.methods.visits import Visits
from service.notices.undo import Undo
from service.observability.metrics import Metrics
from service.outbox.sender import Sender
from service.portal.sessions import PortalSessions
from service.pushes.dispatcher import PushDispatcher
from service.pushes.last_pushes import LastPushes
from service.rate_limiting.open_waits import WaitLimiter
from service.rate_limiting.rates import RateLimits
from service.sealed_calls.used_calls import UsedCalls
from service.tickets.code_exchange import CodeExchange
from service.tickets.feed import Feed
from service.tickets.issuer import TicketIssuer
from service.tickets.status import TicketStatus
from service.wechat.access_tokens import AccessTokens
from service.wechat.push_account import PushAccount

Check = Callable[[], Awaitable[None]]
"""Raises unless a dependency works."""

SETTINGS: Final = web.AppKey("settings", Settings)
CLIENT_SECRETS: Final = web.AppKey("client_secrets", ClientSecrets)
SEALING_KEYS: Final = web.AppKey("sealing_keys", SealingKeys)
LOADED_AT: Final = web.AppKey("loaded_at", datetime)
"""When the settings were loaded."""
CLOCK: Final[web.AppKey[Callable[[], datetime]]] = web.AppKey("clock")
METRICS: Final = web.AppKey("metrics", Metrics)
AUDIT: Final = web.AppKey("audit", AuditLog)
ACCOUNTS: Final = web.AppKey("accounts", Mapping[str, PushAccount])
CHECKS: Final = web.AppKey("checks", Mapping[str, Check])
DRAINING: Final = web.AppKey("draining", asyncio.Event)
"""Set when the process stops, or a reload has replaced this application: requests that wait are answered now."""
CURRENT: Final[web.AppKey[Callable[[], web.Application]]] = web.AppKey("current")
"""Returns the application that handles new requests."""
OPEN_REQUESTS: Final = web.AppKey("open_requests", OpenRequests)
KEYRING: Final = web.AppKey("keyring", Keyring)
FEED: Final = web.AppKey("feed", Feed)
RATE_LIMITS: Final = web.AppKey("rate_limits", RateLimits)
WAIT_LIMITER: Final = web.AppKey("wait_limiter", WaitLimiter)
TICKET_ISSUER: Final = web.AppKey("ticket_issuer", TicketIssuer)
TICKET_STATUS: Final = web.AppKey("ticket_status", TicketStatus)
SENDER: Final = web.AppKey("sender", Sender)
PUSH_DISPATCHER: Final = web.AppKey("push_dispatcher", PushDispatcher)
LAST_PUSHES: Final = web.AppKey("last_pushes", LastPushes)
CODE_EXCHANGE: Final = web.AppKey("code_exchange", CodeExchange)
VISITS: Final = web.AppKey("visits", Visits)
LINKS: Final = web.AppKey("links", Links)
MINI_PROGRAM_SCANS: Final = web.AppKey("mini_program_scans", MiniProgramScans)
CODE_PICTURES: Final = web.AppKey("code_pictures", CodePictures)
PROFILES: Final = web.AppKey("profiles", Profiles)
ACCESS_TOKENS: Final = web.AppKey("access_tokens", AccessTokens)
BINDINGS: Final = web.AppKey("bindings", Bindings)
USED_CALLS: Final = web.AppKey("used_calls", UsedCalls)
PORTAL_SESSIONS: Final = web.AppKey("portal_sessions", PortalSessions)
UNDO: Final = web.AppKey("undo", Undo)
