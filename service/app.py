"""The composition root: builds everything once, in order, and takes it down in the opposite one."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web
from redis.asyncio import Redis, RedisCluster

from handlers.expect import only_continue
from handlers.middleware import frame, mark
from handlers.routes import ROUTES
from handlers.unreadable import Connection
from models.errors import StoreUnavailable
from models.portal import VISITS_KEPT
from service import database, embedded, housekeeping, keys, sealing
from service.answering import Answering
from service.audit import Audit
from service.bindings import Bindings
from service.concluding import Concluding
from service.connections import Doorkeeper, open_wide
from service.credentials import Credentials
from service.database import Database
from service.deliveries import Deliveries
from service.endings import Endings
from service.feed import Feed
from service.fields import EMBEDDED
from service.followers import Followers
from service.following import Following
from service.issuing import Issuing
from service.keyfile import resolve_secret_keys
from service.keyring import Keyring
from service.leaving import Leaving
from service.limits import Limits
from service.metrics import Metrics
from service.people import People
from service.portal import Portal
from service.profiles import Profiles
from service.projection import Projection
from service.questions import Questions
from service.quota import Quota
from service.redeeming import Redeeming
from service.redis import connect, redis_errors
from service.requests import BindRequests
from service.scanning import Scanning
from service.settings import Settings
from service.stage import Stages
from service.tickets import TicketStore
from service.traces import Tracing
from service.vault import CLEAR
from service.waiting import Waiting
from service.wechat.account import Account, Mode
from service.wechat.api import WeChatApi, open_apis
from service.wechat.transport import ApiAccount

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Work = Callable[[], Awaitable[None]]
"""What runs beside the server for as long as it does."""
LARGEST_BODY: Final = 64 * 1024
_DRAIN: Final = 1.0
"""Seconds between turning unready and closing the door, for whoever balances the load to notice."""
_FINISH: Final = 6.0
"""Seconds that work in hand may take; CONTRACT 7 allows ten in all."""
_CANCELLATIONS: Final = 5
_COLLECT: Final = (10_000, 10, 100)
"""Allocations before the youngest objects are looked through, and how often the older ones are with them."""
_AGAIN: Final = 1.0
"""Seconds before background work that failed begins again."""


def utcnow() -> datetime:
    return datetime.now(UTC)


def make_app(settings: Settings, *, clock: Clock = utcnow) -> web.Application:
    """Build the service as an aiohttp application; its resources open when it starts."""
    app = web.Application(middlewares=[frame], client_max_size=LARGEST_BODY)
    app[keys.SETTINGS] = settings
    app[keys.CREDENTIALS] = Credentials(settings.clients)
    app[keys.CLOCK] = clock
    app[keys.METRICS] = Metrics()
    app[keys.DRAINING] = asyncio.Event()
    app[keys.WAITING] = Waiting(per_address=settings.limits.waiting_per_address, in_all=settings.limits.waiting)
    app.add_routes(ROUTES)
    app.on_response_prepare.append(mark)
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open the stores, build the use cases on them, and keep the background work running."""
    settings = app[keys.SETTINGS]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_redis(settings))
        sql = await stack.enter_async_context(_database(settings))
        apis = await stack.enter_async_context(open_apis(_api_accounts(settings), redis=store))
        audit = app[keys.AUDIT] = Audit(sql, clock=app[keys.CLOCK])
        stack.push_async_callback(_written, audit)
        work = _compose(app, store=store, sql=sql, apis=apis, audit=audit)
        await audit.key_in_use("secret_key", app[keys.KEYRING].fingerprint)
        await audit.key_in_use("encryption", sealing.vault(settings).newest or CLEAR)
        tasks = await stack.enter_async_context(_background(work))

        async def ping_redis() -> None:
            with redis_errors():
                await store.ping()

        async def look_after_tasks() -> None:
            if any(task.done() for task in tasks):
                raise RuntimeError("a background task has ended")

        app[keys.CHECKS] = {"redis": ping_redis, "database": sql.ping, "background": look_after_tasks}
        yield


def _compose(
    app: web.Application,
    *,
    store: Redis | RedisCluster,
    sql: Database,
    apis: Mapping[str, WeChatApi],
    audit: Audit,
) -> list[Work]:
    """Put every use case together; return the work to be done in the background."""
    settings, clock, metrics = app[keys.SETTINGS], app[keys.CLOCK], app[keys.METRICS]
    clients = settings.clients
    keyring = Keyring.derive(resolve_secret_keys(settings), clients)
    people = People(sealing.vault(settings))
    endings, bindings, followers = Endings(sql, people), Bindings(sql, people), Followers(sql, people)
    requests = BindRequests(sql)
    portal = Portal(database=sql, keyring=keyring, clients=clients, audit=audit, clock=clock)
    missed = asyncio.Event()  # whatever was published while the feed was away
    feed = Feed(store, on_connect=missed.set)
    tickets, questions = TicketStore(store, tell=feed.learn), Questions(store)
    projection = Projection(store=tickets, endings=endings, missed=missed, clock=clock)
    profiles = Profiles(apis=apis, followers=followers, clock=clock)
    stages = Stages(clients=clients, keyring=keyring, requests=requests)
    concluding = Concluding(endings=endings, projection=projection, metrics=metrics, clock=clock)
    limits, quota = Limits(store, settings.limits), Quota(store, accounts=settings.accounts, clock=clock)
    quota.show(metrics)
    following = Following(
        store=tickets, feed=feed, endings=endings, requests=requests, projection=projection, clock=clock
    )
    answering = Answering(
        stages=stages, questions=questions, following=following, followers=followers, concluding=concluding
    )

    app[keys.ACCOUNTS] = _push_accounts(settings)
    app[keys.KEYRING] = keyring
    app[keys.FEED] = feed
    app[keys.BINDINGS] = bindings
    app[keys.PORTAL] = portal
    app[keys.FOLLOWING] = following
    app[keys.LIMITS] = limits
    app[keys.ISSUING] = Issuing(
        clients=clients,
        lifetimes=settings.tickets,
        keyring=keyring,
        apis=apis,
        redis=store,
        store=tickets,
        requests=requests,
        endings=endings,
        following=following,
        limits=limits,
        quota=quota,
        projection=projection,
        audit=audit,
        clock=clock,
    )
    deliveries = Deliveries(store, accounts=settings.accounts)
    leaving = Leaving(
        accounts=settings.accounts,
        followers=followers,
        deliveries=deliveries,
        tracing=Tracing(store, store=tickets, questions=questions),
        audit=audit,
        clock=clock,
    )
    app[keys.SCANNING] = Scanning(
        stages=stages,
        store=tickets,
        questions=questions,
        deliveries=deliveries,
        following=following,
        answering=answering,
        concluding=concluding,
        followers=followers,
        leaving=leaving,
        profiles=profiles,
        audit=audit,
        limits=limits,
        metrics=metrics,
        clock=clock,
    )
    app[keys.REDEEMING] = Redeeming(
        clients=clients,
        keyring=keyring,
        endings=endings,
        followers=followers,
        profiles=profiles,
        projection=projection,
        audit=audit,
        clock=clock,
    )
    metrics.watch("waiting", "Pages that wait for a change in this process.", lambda: feed.waiting)
    metrics.watch("audit_lost", "Lines of the record that could not be written in time.", lambda: audit.lost)
    kept = settings.privacy
    purges = (
        (endings.purge, timedelta(days=kept.endings_days)),
        (portal.purge, VISITS_KEPT),
        (bindings.purge, timedelta(days=kept.history_days)),
        (audit.purge, timedelta(days=kept.audit_days)),
    )
    cleaning = partial(housekeeping.run, purges, clock=clock)
    return [feed.run, projection.run, profiles.run, audit.run, cleaning]


async def _written(audit: Audit) -> None:
    """Write the last of the record, after all that could have added to it has ended."""
    try:
        await audit.flush()
    except StoreUnavailable as e:
        log.error("the end of the record is lost: %s", e.detail)  # noqa: TRY400 - the cause says no more


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        try:
            opening = database.connect(settings.database.url, data_dir=settings.data_dir)
            sql = await stack.enter_async_context(opening)
            await sql.check_schema()
            await sealing.check(sql, sealing.vault(settings))
        except StoreUnavailable as e:
            raise StoreUnavailable(f"database.url: {e.detail}") from e
        yield sql


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[Redis | RedisCluster]:
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if url == EMBEDDED:
            url = await stack.enter_async_context(embedded.valkey(settings.data_dir))
        yield await stack.enter_async_context(connect(url))


@asynccontextmanager
async def _background(work: Iterable[Work]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run *work* beside the server; end and await all of it at the end."""
    tasks = [asyncio.create_task(_kept_running(one)) for one in work]
    try:
        yield tasks
    finally:
        await _end(tasks)


async def _kept_running(work: Work) -> None:
    """Begin again whenever *work* ends: one record that it cannot digest must not end it for everybody."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work has failed; it begins again")
        await asyncio.sleep(_AGAIN)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library that is just connecting may swallow one cancellation."""
    pending = set(tasks)
    for _ in range(_CANCELLATIONS):
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)
        if not pending:
            return
    log.error("background work does not end")


def _push_accounts(settings: Settings) -> dict[str, Account]:
    return {
        name: Account(
            name=name,
            appid=account.appid,
            tokens=tuple(token.get_secret_value() for token in account.token),
            aes_keys=tuple(key.get_secret_value() for key in account.aes_key),
            mode=Mode(account.mode),
            max_skew=timedelta(seconds=account.max_skew) if account.max_skew else None,
            gh_id=account.gh_id,
        )
        for name, account in settings.accounts.items()
    }


def _api_accounts(settings: Settings) -> dict[str, ApiAccount]:
    return {
        name: ApiAccount(account.appid, account.secret.get_secret_value(), account.api_base)
        for name, account in settings.accounts.items()
    }


async def _let_go(app: web.Application) -> None:
    """Answer everybody who waits, now and from now on."""
    app[keys.DRAINING].set()
    app[keys.FEED].close()


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers on `port`."""

    app: web.Application
    port: int

    async def drain(self) -> None:
        """Turn unready, let everybody go who waits, and give load balancers a moment to notice."""
        await _let_go(self.app)
        await asyncio.sleep(_DRAIN)


@asynccontextmanager
async def opened(app: web.Application) -> AsyncIterator[web.Server]:
    """Open the resources of *app* and give its server, which is not bound to an address yet.

    Raises: see `running`.
    """
    inner = web.AppRunner(app)
    try:
        await inner.setup()
        if inner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        inner.server.request_handler = only_continue(inner.server.request_handler)
        # Requests are never decompressed: a small body must not become a large one.
        yield Doorkeeper(
            inner.server,
            connection=Connection,
            lost=app[keys.WAITING].gone,
            access_log=None,
            auto_decompress=False,
        )
    finally:
        await inner.cleanup()


@asynccontextmanager
async def running(
    settings: Settings, *, sock: socket.socket | None = None, clock: Clock = utcnow
) -> AsyncIterator[Running]:
    """Serve for as long as the context lasts, on *sock* or where the settings say; finish work in hand at the end.

    Raises:
        ConfigError: embedded stores cannot be used as configured.
        StoreUnavailable: the database does not answer, or its schema is not current.
        OSError: the address is not to be had.
    """
    app = make_app(settings, clock=clock)
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(await stack.enter_async_context(opened(app)), shutdown_timeout=_FINISH)
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(_let_go, app)
        await runner.setup()
        server = settings.server
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, server.host, server.port)
        await site.start()
        yield Running(app, runner.addresses[0][1])


def _settle_memory() -> None:
    """Keep the collector from walking through everything that waits: with thousands of pages that takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then stop gracefully; return the exit status.

    Raises: see `running`.
    """
    open_wide()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with running(settings) as service:
        _settle_memory()
        log.info("listening", extra={"host": settings.server.host, "port": service.port})
        await stop.wait()
        log.info("stopping")
        await service.drain()
    return 0
