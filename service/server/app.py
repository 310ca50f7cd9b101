"""The composition root: builds everything once, in order, and closes it in reverse order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web
from redis.asyncio import Redis, RedisCluster

from handlers.http.middleware import frame, mark
from handlers.routes import install
from models.errors import StoreUnavailable
from models.portal import VISITS_KEPT
from models.tables.commits import commit_marks
from models.tables.outbox import outbox as events
from service import app_keys
from service.audit.log import AuditLog
from service.bindings import conflicts
from service.bindings.changes import tell_follow
from service.bindings.former_appids import REMEDY, former_appids
from service.bindings.repository import Bindings
from service.config.settings import Settings
from service.confirmation.build import build_confirmation
from service.crypto.client_secrets import ClientSecrets
from service.crypto.field_encryption import CLEAR
from service.crypto.keyring import Keyring
from service.crypto.sealing import SealingKeys
from service.crypto.secret_key_file import resolve_secret_keys
from service.foundation import Foundation
from service.identities import reencryption, upkeep
from service.identities.build import build_identities
from service.identities.picture_encoding import PictureEncoding, open_picture_encoding
from service.identities.profiles import UNBOUND_KEPT, Profiles
from service.methods.build import (
    build_links,
    build_methods,
    build_mini_program_scans,
    build_passcodes,
    build_visits,
)
from service.methods.code_pictures import CodePictures
from service.methods.passcodes import PasscodeIndex
from service.notices.build import build_undo, notice_targets
from service.observability.metrics import Metrics
from service.outbox.sender import Sender, Target
from service.outbox.subscriptions import build_outbox
from service.portal.sessions import PortalSessions
from service.pushes.build import build_pushes
from service.rate_limiting.build import build_limits
from service.rate_limiting.open_waits import WaitLimiter
from service.sealed_calls.used_calls import KEPT, UsedCalls
from service.server import retention
from service.server.background_tasks import Work, beside
from service.server.readiness import SharedCheck, database_takes_writes, redis_takes_writes
from service.server.stopping import STOP, Step, Stop
from service.storage.database import MARKS_KEPT, Database
from service.storage.embedded_valkey import valkey
from service.storage.purge import purge
from service.storage.redis import connect
from service.storage.stores import Stores, open_database, open_redis
from service.tickets.build import build_tickets
from service.tickets.endings import Endings
from service.webhooks.build import webhook_targets
from service.webhooks.post import WebhookPost, open_webhook_post
from service.wechat.access_tokens import AccessTokens
from service.wechat.build import build_push_accounts
from service.wechat.clients import WeChatClients, open_clients

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
    app[app_keys.SEALING_KEYS] = SealingKeys(settings.clients)
    app[app_keys.CLOCK] = clock
    app[app_keys.METRICS] = Metrics()
    app[app_keys.ACCOUNTS] = build_push_accounts(settings)
    app[app_keys.DRAINING] = asyncio.Event()
    app[STOP] = Stop()
    app[app_keys.WAIT_LIMITER] = WaitLimiter(
        per_address=settings.limits.waiting_per_address, in_all=settings.limits.waiting
    )
    install(app)
    app.on_response_prepare.append(mark)
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open the stores, build the use cases on them, and keep the background work running."""
    settings, stop = app[app_keys.SETTINGS], app[STOP]
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(_redis(settings, stop))
        sql = await stack.enter_async_context(stop.ends(Step.DATABASE, _database(settings)))
        wechat = await stack.enter_async_context(stop.ends(Step.WECHAT, open_clients(settings, redis=redis)))
        audit = app[app_keys.AUDIT] = AuditLog(sql, clock=app[app_keys.CLOCK])
        stack.push_async_callback(lambda: stop.end(Step.AUDIT, _written(audit)))
        keyring = Keyring.derive(resolve_secret_keys(settings), settings.clients)
        app[app_keys.KEYRING] = keyring
        base = Foundation(
            settings=settings,
            stores=Stores(sql, redis),
            keyring=keyring,
            audit=audit,
            metrics=app[app_keys.METRICS],
            clock=app[app_keys.CLOCK],
        )
        http = await stack.enter_async_context(open_webhook_post())
        work = _compose(app, base, wechat, stack.enter_context(open_picture_encoding()), http)
        sender = app[app_keys.SENDER]
        stack.push_async_callback(lambda: stop.end(Step.DELIVERIES, sender.finish()))
        await _warn_of_former_appids(sql, settings)
        await audit.key_in_use("secret_key", keyring.fingerprint)
        await audit.key_in_use("encryption", reencryption.cipher(settings).newest or CLEAR)
        tasks = await stack.enter_async_context(stop.ends(Step.BACKGROUND, beside(work)))
        stack.push_async_callback(lambda: stop.end(Step.PUSHES, app[app_keys.PUSH_DISPATCHER].finish()))

        async def look_after_tasks() -> None:
            if any(task.done() for task in tasks):
                raise RuntimeError("a background task has ended")

        checks: dict[str, app_keys.Check] = {
            "redis": SharedCheck("redis", partial(redis_takes_writes, redis)),
            "database": SharedCheck("database", partial(database_takes_writes, sql)),
            "background": look_after_tasks,
        }
        app[app_keys.CHECKS] = checks
        yield


def _compose(
    app: web.Application,
    base: Foundation,
    wechat: WeChatClients,
    pictures: PictureEncoding,
    http: WebhookPost,
) -> list[Work]:
    """Build every feature, the lower layers first; return the work to be done in the background."""
    settings, database, metrics = base.settings, base.stores.database, base.metrics
    outbox = build_outbox(settings, reencryption.cipher(settings))
    limits = build_limits(base)
    people = build_identities(
        base,
        apis=wechat.apis,
        outbox=outbox,
        on_joined=partial(conflicts.report, clock=base.clock),
        on_follow=tell_follow,
    )
    methods = build_methods(base, wechat=wechat, quota=limits.quota)
    tickets = build_tickets(base, methods=methods, limits=limits.rates, people=people)
    records = tickets.records
    confirmation = build_confirmation(base, people=people, records=records)
    passcodes = build_passcodes(
        base, tries=limits.passcodes, people=people, records=records, confirmation=confirmation
    )
    pushes = build_pushes(
        base,
        limits=limits.rates,
        people=people,
        tickets=records.store,
        confirmation=confirmation,
        passcodes=passcodes,
        targets=wechat.targets,
    )
    app[app_keys.RATE_LIMITS] = limits.rates
    app[app_keys.PROFILES] = people.profiles
    app[app_keys.ACCESS_TOKENS] = AccessTokens(settings=settings, apis=wechat.apis, audit=base.audit)
    app[app_keys.BINDINGS] = Bindings(database, people.identities)
    app[app_keys.PORTAL_SESSIONS] = PortalSessions(
        database=database, keyring=base.keyring, clients=settings.clients, audit=base.audit, clock=base.clock
    )
    app[app_keys.USED_CALLS] = UsedCalls(database=database, clock=base.clock)
    app[app_keys.FEED] = feed = records.feed
    app[app_keys.TICKET_STATUS] = records.status
    app[app_keys.TICKET_ISSUER] = tickets.issuer
    app[app_keys.CODE_EXCHANGE] = tickets.exchange
    app[app_keys.PUSH_DISPATCHER] = pushes
    app[app_keys.VISITS] = visits = build_visits(
        base, wechat=wechat, pictures=pictures, people=people, records=records, confirmation=confirmation
    )
    app[app_keys.LINKS] = build_links(visits, confirmation=confirmation)
    app[app_keys.MINI_PROGRAM_SCANS] = build_mini_program_scans(
        base, apis=wechat.mini_programs, records=records, confirmation=confirmation
    )
    app[app_keys.CODE_PICTURES] = CodePictures(base.stores.redis)
    metrics.watch("waiting", "Requests of pages that wait for a change, in this process.", lambda: feed.waiting)
    metrics.watch("audit_lost", "Audit entries that could not be written in time.", lambda: base.audit.lost)
    cleaning = _cleaning(app, database, records.endings, passcodes.index, people.profiles)
    completing = partial(upkeep.run, upkeep.steps(people.followers))
    feeding = (feed.run, feed.probe)
    targets: dict[str, Target] = {
        **webhook_targets(base, outbox=outbox, http=http),
        **notice_targets(base, identities=people.identities, apis=wechat.apis),
    }
    database.on_commit = outbox.committed
    app[app_keys.SENDER] = sender = Sender(database=database, outbox=outbox, targets=targets, clock=base.clock)
    app[app_keys.UNDO] = build_undo(base, identities=people.identities)
    people_work = (people.follower_refresh.run, completing)
    return [*feeding, records.projection.run, *people_work, base.audit.run, sender.run, cleaning]


def _cleaning(
    app: web.Application, sql: Database, endings: Endings, passcodes: PasscodeIndex, profiles: Profiles
) -> Work:
    """Return the background task that deletes rows past their retention."""
    kept = app[app_keys.SETTINGS].privacy
    purges = (
        (endings.purge, timedelta(days=kept.endings_days)),
        (passcodes.purge, timedelta()),
        (profiles.purge, UNBOUND_KEPT),
        (app[app_keys.PORTAL_SESSIONS].purge, VISITS_KEPT),
        (app[app_keys.USED_CALLS].purge, KEPT),
        (app[app_keys.BINDINGS].purge, timedelta(days=kept.history_days)),
        (app[app_keys.AUDIT].purge, timedelta(days=kept.audit_days)),
        (partial(purge, sql, events.c.id, when=events.c.at), timedelta(days=kept.webhooks_days)),
        (partial(purge, sql, commit_marks.c.id, when=commit_marks.c.at), MARKS_KEPT),
    )
    return partial(retention.run, purges, clock=app[app_keys.CLOCK])


async def _warn_of_former_appids(sql: Database, settings: Settings) -> None:
    try:
        for former in await former_appids(sql, settings.appids):
            log.warning("%s: %s; %s", settings.appid_path(former.account), former, REMEDY)
    except StoreUnavailable as e:
        log.warning("accounts: cannot look for bindings of former appids: %s", e.detail)


async def _written(audit: AuditLog) -> None:
    """Write the last entries of the audit log, after everything that adds entries has ended."""
    try:
        await audit.finish()
    except StoreUnavailable as e:
        log.error("audit log: the last entries are lost: %s", e)  # noqa: TRY400 - the cause adds nothing


def _database(settings: Settings) -> AbstractAsyncContextManager[Database]:
    check = partial(reencryption.check_usable, settings)
    return open_database(settings, check=check)


def _redis(settings: Settings, stop: Stop) -> AbstractAsyncContextManager["Redis | RedisCluster"]:
    """Open Redis; the embedded one and the connections end in steps of their own."""
    return open_redis(
        settings,
        embedded=lambda folder: stop.ends(Step.VALKEY, valkey(folder)),
        connect=lambda url: stop.ends(Step.REDIS, connect(url)),
    )
