"""Builds the services that issue, read and end tickets and exchange their codes."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.method import Method
from models.web_authorization import Redirect
from service.foundation import Foundation
from service.identities.build import IdentityServices
from service.rate_limiting.rates import RateLimits
from service.storage.records import RecordStore
from service.tickets.bind_exchange import BindExchange
from service.tickets.bind_requests import BindRequests
from service.tickets.code_exchange import CodeExchange
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings
from service.tickets.factory import TicketFactory
from service.tickets.feed import Feed
from service.tickets.issuer import TicketIssuer
from service.tickets.method import SignInMethod
from service.tickets.projection import Projection
from service.tickets.redirects import PREFIX, Redirects
from service.tickets.status import TicketStatus
from service.tickets.store import TicketStore


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecords:
    """Stores, status and endings of tickets. Run `projection.run` beside the server."""

    store: TicketStore
    feed: Feed
    endings: Endings
    decisions: TicketDecisions
    requests: BindRequests
    redirects: Redirects
    projection: Projection
    status: TicketStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketServices:
    """The services that issue tickets and exchange codes, and the records that both use."""

    records: TicketRecords
    issuer: TicketIssuer
    exchange: CodeExchange


def build_tickets(
    base: Foundation,
    *,
    feed: Feed,
    methods: Mapping[Method, SignInMethod],
    limits: RateLimits,
    people: IdentityServices,
) -> TicketServices:
    """Build the services of this package on the process's *feed*."""
    clients, records = base.settings.clients, _records(base, feed, people)
    factory = TicketFactory(
        clients=clients,
        lifetimes=base.settings.tickets,
        keyring=base.keyring,
        methods=methods,
        clock=base.clock,
    )
    issuer = TicketIssuer(
        factory=factory,
        redis=base.stores.redis,
        store=records.store,
        redirects=records.redirects,
        requests=records.requests,
        ticket_status=records.status,
        limits=limits,
        audit=base.audit,
        metrics=base.metrics,
        clock=base.clock,
    )
    binds = BindExchange(
        clients=clients,
        appids=base.settings.appids,
        keyring=base.keyring,
        redirects=records.redirects,
        decisions=records.decisions,
        projection=records.projection,
        metrics=base.metrics,
        clock=base.clock,
    )
    exchange = CodeExchange(
        clients=clients,
        appids=base.settings.appids,
        keyring=base.keyring,
        endings=records.endings,
        binds=binds,
        decisions=records.decisions,
        follower_refresh=people.follower_refresh,
        projection=records.projection,
        cached=feed.cached,
        audit=base.audit,
        clock=base.clock,
    )
    return TicketServices(records=records, issuer=issuer, exchange=exchange)


def _records(base: Foundation, feed: Feed, people: IdentityServices) -> TicketRecords:
    redis, database = base.stores.redis, base.stores.database
    store, requests = TicketStore(redis, notify=feed.cache), BindRequests(database)
    endings = Endings(database, people.identities)
    decisions = TicketDecisions(database, people.identities, people.followers, endings)
    projection = Projection(store=store, endings=endings, missed=feed.missed, clock=base.clock)
    status = TicketStatus(
        store=store,
        feed=feed,
        endings=endings,
        decisions=decisions,
        requests=requests,
        projection=projection,
        clock=base.clock,
    )
    return TicketRecords(
        store=store,
        feed=feed,
        endings=endings,
        decisions=decisions,
        requests=requests,
        redirects=Redirects(RecordStore(redis, PREFIX, Redirect)),
        projection=projection,
        status=status,
    )
