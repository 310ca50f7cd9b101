"""What a process opens once, for all its generations: stores, feed of tickets, audit log, metrics and limits.

A reload builds the rest anew (service/server/generations.py).
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis, RedisCluster

from models.errors import StoreUnavailable
from service.audit.log import AuditLog
from service.config.settings import Settings
from service.identities.picture_encoding import PictureEncoding, open_picture_encoding
from service.observability.metrics import Metrics
from service.rate_limiting.open_waits import WaitLimiter
from service.server.background_tasks import Tasks, beside
from service.server.slow_clients import Peers
from service.server.stopping import Step, Stop
from service.storage.embedded_valkey import valkey
from service.storage.redis import connect
from service.storage.stores import Stores, open_database, open_redis
from service.tickets.feed import Feed
from service.webhooks.post import WebhookPost, open_webhook_post

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Open as long as the process serves."""

    stores: Stores
    feed: Feed
    audit: AuditLog
    metrics: Metrics
    waits: WaitLimiter
    peers: Peers
    pictures: PictureEncoding
    http: WebhookPost
    tasks: Tasks
    """The background tasks of these resources."""
    clock: Clock
    stop: Stop

    def limit(self, settings: Settings) -> None:
        """Apply the limits of *settings* to new connections and waits; none is ended."""
        limits = settings.limits
        self.waits.limit(per_address=limits.waiting_per_address, in_all=limits.waiting)
        self.peers.limit(limits.connections_per_address, trusted=settings.server.trusted_proxies)


@asynccontextmanager
async def open_resources(settings: Settings, *, clock: Clock) -> AsyncIterator[Resources]:
    """Open the stores and what uses no other settings; each closes within its share of the time to stop.

    Raises:
        ConfigError: embedded stores cannot be used as configured.
        StoreUnavailable: the database does not answer, or its schema is not current.
    """
    stop, metrics = Stop(), Metrics()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(_redis(settings, stop))
        sql = await enter(stop.ends(Step.DATABASE, open_database(settings)))
        audit, feed = AuditLog(sql, clock=clock), Feed(redis)
        stack.push_async_callback(lambda: stop.end(Step.AUDIT, _written(audit)))
        metrics.watch(
            "waiting", "Requests of pages that wait for a change, in this process.", lambda: feed.waiting
        )
        metrics.watch("audit_lost", "Audit entries that could not be written in time.", lambda: audit.lost)
        resources = Resources(
            stores=Stores(sql, redis),
            feed=feed,
            audit=audit,
            metrics=metrics,
            waits=WaitLimiter(per_address=0, in_all=0),
            peers=Peers(0, trusted=()),
            pictures=stack.enter_context(open_picture_encoding()),
            http=await enter(open_webhook_post()),
            tasks=await enter(stop.ends(Step.FEED, beside((feed.run, feed.probe, audit.run)))),
            clock=clock,
            stop=stop,
        )
        resources.limit(settings)
        yield resources


async def _written(audit: AuditLog) -> None:
    """Write the last entries of the audit log, after everything that adds entries has ended."""
    try:
        await audit.finish()
    except StoreUnavailable as e:
        log.error("audit log: the last entries are lost: %s", e)  # noqa: TRY400 - the cause adds nothing


def _redis(settings: Settings, stop: Stop) -> AbstractAsyncContextManager["Redis | RedisCluster"]:
    """Open Redis; the embedded one and the connections end in steps of their own."""
    return open_redis(
        settings,
        embedded=lambda folder: stop.ends(Step.VALKEY, valkey(folder)),
        connect=lambda url: stop.ends(Step.REDIS, connect(url)),
    )
