"""The composition root: builds everything once, in order, and takes it down in the opposite one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web
from redis.asyncio import Redis, RedisCluster

from handlers.http.middleware import frame, mark
from handlers.routes import ROUTES
from models.errors import StoreUnavailable
from models.portal import VISITS_KEPT
from models.tables.commits import commit_marks
from service import app_keys
from service.audit.log import AuditLog
from service.bindings.repository import Bindings
from service.config.settings import Settings
from service.confirmation.answers import AnswerHandler
from service.confirmation.completion import TicketCompletion
from service.confirmation.open_questions import OpenQuestions
from service.confirmation.scan import ScanHandler
from service.confirmation.scan_context import SceneVerifier
from service.crypto.client_secrets import ClientSecrets
from service.crypto.field_encryption import CLEAR
from service.crypto.keyring import Keyring
from service.crypto.secret_key_file import resolve_secret_keys
from service.identities import reencryption
from service.identities.departures import Departures
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.observability.metrics import Metrics
from service.portal.sessions import PortalSessions
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure
from service.pushes.dispatcher import PushDispatcher
from service.pushes.reply_cache import ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.open_waits import WaitLimiter
from service.rate_limiting.qr_quota import QrQuota
from service.rate_limiting.rates import RateLimits
from service.server import retention
from service.server.background_tasks import Work, beside
from service.server.readiness import SharedCheck, database_takes_writes, redis_takes_writes
from service.server.stopping import STOP, Step, Stop
from service.storage.database import MARKS_KEPT, Database
from service.storage.embedded_valkey import valkey
from service.storage.purge import purge
from service.storage.redis import connect
from service.storage.stores import open_database, open_redis
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
from service.wechat.api import WeChatApi, open_apis
from service.wechat.push_account import Mode, PushAccount
from service.wechat.transport import ApiAccount

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
LARGEST_BODY: Final = 64 * 1024


def utcnow() -> datetime:
    return datetime.now(UTC)


def make_app(settings: Settings, *, clock: Clock = utcnow) -> web.Application:
    """Build the service as an aiohttp application; its resources open when it starts."""
    app = web.Application(middlewares=[frame], client_max_size=LARGEST_BODY)
    app[app_keys.SETTINGS] = settings
    app[app_keys.CLIENT_SECRETS] = ClientSecrets(settings.clients)
    app[app_keys.CLOCK] = clock
    app[app_keys.METRICS] = Metrics()
    app[app_keys.DRAINING] = asyncio.Event()
    app[STOP] = Stop()
    app[app_keys.WAIT_LIMITER] = WaitLimiter(
        per_address=settings.limits.waiting_per_address, in_all=settings.limits.waiting
    )
    app.add_routes(ROUTES)
    app.on_response_prepare.append(mark)
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open the stores, build the use cases on them, and keep the background work running."""
    settings, stop = app[app_keys.SETTINGS], app[STOP]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_redis(settings, stop))
        sql = await stack.enter_async_context(stop.ends(Step.DATABASE, _database(settings)))
        wechat = open_apis(_api_accounts(settings), redis=store)
        apis = await stack.enter_async_context(stop.ends(Step.WECHAT, wechat))
        audit = app[app_keys.AUDIT] = AuditLog(sql, clock=app[app_keys.CLOCK])
        stack.push_async_callback(lambda: stop.end(Step.AUDIT, _written(audit)))
        work = _compose(app, store=store, sql=sql, apis=apis, audit=audit)
        await audit.key_in_use("secret_key", app[app_keys.KEYRING].fingerprint)
        await audit.key_in_use("encryption", reencryption.cipher(settings).newest or CLEAR)
        tasks = await stack.enter_async_context(stop.ends(Step.BACKGROUND, beside(work)))

        async def look_after_tasks() -> None:
            if any(task.done() for task in tasks):
                raise RuntimeError("a background task has ended")

        checks: dict[str, app_keys.Check] = {
            "redis": SharedCheck(partial(redis_takes_writes, store)),
            "database": SharedCheck(partial(database_takes_writes, sql)),
            "background": look_after_tasks,
        }
        app[app_keys.CHECKS] = checks
        yield


def _compose(
    app: web.Application,
    *,
    store: Redis | RedisCluster,
    sql: Database,
    apis: Mapping[str, WeChatApi],
    audit: AuditLog,
) -> list[Work]:
    """Put every use case together; return the work to be done in the background."""
    settings, clock, metrics = app[app_keys.SETTINGS], app[app_keys.CLOCK], app[app_keys.METRICS]
    clients = settings.clients
    keyring = Keyring.derive(resolve_secret_keys(settings), clients)
    identities = Identities(reencryption.cipher(settings))
    endings, bindings, followers = Endings(sql, identities), Bindings(sql, identities), Followers(sql, identities)
    requests, decisions = BindRequests(sql), TicketDecisions(sql, identities, endings)
    portal = PortalSessions(database=sql, keyring=keyring, clients=clients, audit=audit, clock=clock)
    missed = asyncio.Event()  # whatever was published while the feed was away
    feed = Feed(store, on_connect=missed.set)
    tickets, questions = TicketStore(store, tell=feed.learn), OpenQuestions(store)
    projection = Projection(store=tickets, endings=endings, missed=missed, clock=clock)
    follower_refresh = FollowerRefresh(apis=apis, followers=followers, clock=clock)
    verifier = SceneVerifier(clients=clients, keyring=keyring, requests=requests)
    completion = TicketCompletion(
        decisions=decisions,
        followers=followers,
        follower_refresh=follower_refresh,
        projection=projection,
        metrics=metrics,
        clock=clock,
    )
    limits, quota = RateLimits(store, settings.limits), QrQuota(store, accounts=settings.accounts, clock=clock)
    quota.show(metrics)
    ticket_status = TicketStatus(
        store=tickets,
        feed=feed,
        endings=endings,
        decisions=decisions,
        requests=requests,
        projection=projection,
        clock=clock,
    )
    scans = ScanHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=ticket_status,
        completion=completion,
        follower_refresh=follower_refresh,
        audit=audit,
    )
    answers = AnswerHandler(
        verifier=verifier,
        questions=questions,
        ticket_status=ticket_status,
        followers=followers,
        completion=completion,
    )

    app[app_keys.ACCOUNTS] = _push_accounts(settings)
    app[app_keys.KEYRING] = keyring
    app[app_keys.FEED] = feed
    app[app_keys.BINDINGS] = bindings
    app[app_keys.PORTAL_SESSIONS] = portal
    app[app_keys.TICKET_STATUS] = ticket_status
    app[app_keys.RATE_LIMITS] = limits
    app[app_keys.TICKET_ISSUER] = TicketIssuer(
        factory=TicketFactory(
            clients=clients, lifetimes=settings.tickets, keyring=keyring, apis=apis, quota=quota, clock=clock
        ),
        redis=store,
        store=tickets,
        requests=requests,
        ticket_status=ticket_status,
        limits=limits,
        audit=audit,
        clock=clock,
    )
    departures = Departures(store, accounts=settings.accounts)
    unfollow = UnfollowHandler(
        accounts=settings.accounts,
        erasure=FollowerErasure(sql, identities),
        departures=departures,
        redis_erasure=RedisErasure(store, store=tickets, questions=questions),
        audit=audit,
        clock=clock,
    )
    app[app_keys.PUSH_DISPATCHER] = PushDispatcher(
        reply_cache=ReplyCache(store, departures),
        limits=limits,
        scans=scans,
        answers=answers,
        follower_refresh=follower_refresh,
        unfollow=unfollow,
        audit=audit,
        metrics=metrics,
    )
    app[app_keys.CODE_EXCHANGE] = CodeExchange(
        clients=clients,
        keyring=keyring,
        endings=endings,
        decisions=decisions,
        follower_refresh=follower_refresh,
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
        (partial(purge, sql, commit_marks.c.id, when=commit_marks.c.at), MARKS_KEPT),
    )
    cleaning = partial(retention.run, purges, clock=clock)
    return [feed.run, projection.run, follower_refresh.run, audit.run, cleaning]


async def _written(audit: AuditLog) -> None:
    """Write the last of the record, after all that could have added to it has ended."""
    try:
        await audit.finish()
    except StoreUnavailable as e:
        log.error("the end of the record is lost: %s", e.detail)  # noqa: TRY400 - the cause says no more


def _database(settings: Settings) -> AbstractAsyncContextManager[Database]:
    check = partial(reencryption.check_usable, settings)
    return open_database(settings, check=check, prefix="database.url: ")


def _redis(settings: Settings, stop: Stop) -> AbstractAsyncContextManager["Redis | RedisCluster"]:
    """Open Redis; the embedded one and the connections end in steps of their own."""
    return open_redis(
        settings,
        embedded=lambda folder: stop.ends(Step.VALKEY, valkey(folder)),
        connect=lambda url: stop.ends(Step.REDIS, connect(url)),
    )


def _push_accounts(settings: Settings) -> dict[str, PushAccount]:
    return {
        name: PushAccount(
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
