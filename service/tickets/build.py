"""Builds what makes tickets, follows them, ends them and exchanges their codes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.audit.log import AuditLog
from service.config.settings import Settings
from service.crypto.keyring import Keyring
from service.identities.build import IdentityServices
from service.identities.repository import Identities
from service.rate_limiting.build import UsageLimits
from service.storage.stores import Stores
from service.tickets.bind_requests import BindRequests
from service.tickets.code_exchange import CodeExchange
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings
from service.tickets.factory import TicketFactory
from service.tickets.feed import Feed
from service.tickets.issuer import TicketIssuer
from service.tickets.projection import Projection
from service.tickets.status import TicketStatus
from service.tickets.store import TicketStore
from service.wechat.api import WeChatApi


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecords:
    """Where tickets are kept and how they change. Run `feed.run` and `projection.run` beside the server."""

    store: TicketStore
    feed: Feed
    endings: Endings
    decisions: TicketDecisions
    requests: BindRequests
    projection: Projection
    status: TicketStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketServices:
    """What gives tickets out and exchanges their codes, on the records of both."""

    records: TicketRecords
    issuer: TicketIssuer
    exchange: CodeExchange


def build_tickets(
    settings: Settings,
    stores: Stores,
    *,
    apis: Mapping[str, WeChatApi],
    keyring: Keyring,
    limits: UsageLimits,
    people: IdentityServices,
    audit: AuditLog,
    clock: Callable[[], datetime],
) -> TicketServices:
    """Build the services of this package."""
    clients, records = settings.clients, _records(stores, people.identities, clock)
    factory = TicketFactory(
        clients=clients, lifetimes=settings.tickets, keyring=keyring, apis=apis, quota=limits.quota, clock=clock
    )
    issuer = TicketIssuer(
        factory=factory,
        redis=stores.redis,
        store=records.store,
        requests=records.requests,
        ticket_status=records.status,
        limits=limits.rates,
        audit=audit,
        clock=clock,
    )
    exchange = CodeExchange(
        clients=clients,
        keyring=keyring,
        endings=records.endings,
        decisions=records.decisions,
        follower_refresh=people.follower_refresh,
        projection=records.projection,
        audit=audit,
        clock=clock,
    )
    return TicketServices(records=records, issuer=issuer, exchange=exchange)


def _records(stores: Stores, identities: Identities, clock: Callable[[], datetime]) -> TicketRecords:
    missed = asyncio.Event()  # whatever was published while the feed was away
    feed = Feed(stores.redis, on_connect=missed.set)
    store, requests = TicketStore(stores.redis, tell=feed.learn), BindRequests(stores.database)
    endings = Endings(stores.database, identities)
    decisions = TicketDecisions(stores.database, identities, endings)
    projection = Projection(store=store, endings=endings, missed=missed, clock=clock)
    status = TicketStatus(
        store=store,
        feed=feed,
        endings=endings,
        decisions=decisions,
        requests=requests,
        projection=projection,
        clock=clock,
    )
    return TicketRecords(
        store=store,
        feed=feed,
        endings=endings,
        decisions=decisions,
        requests=requests,
        projection=projection,
        status=status,
    )
