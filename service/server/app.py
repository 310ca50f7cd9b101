"""The composition root: builds everything once, in order, and closes it in reverse order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web

from handlers.http.middleware import frame, mark
from handlers.routes import install
from models.errors import StoreUnavailable
from models.portal import VISITS_KEPT
from models.tables.commits import commit_marks
from models.tables.outbox import outbox as events
from service import app_keys
from service.bindings import conflicts
from service.bindings.changes import tell_follow
from service.bindings.former_appids import REMEDY, former_appids
from service.bindings.repository import Bindings
from service.concurrency.open_requests import OpenRequests
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
from service.outbox.sender import Sender, Target
from service.outbox.subscriptions import build_outbox
from service.portal.sessions import PortalSessions
from service.pushes.build import build_pushes
from service.pushes.last_pushes import LastPushes
from service.rate_limiting.build import build_limits
from service.sealed_calls.used_calls import KEPT, UsedCalls
from service.server import retention
from service.server.background_tasks import Tasks, Work, beside
from service.server.readiness import SharedCheck, database_takes_writes, redis_takes_writes
from service.server.resources import Resources
from service.server.stopping import STOP, Step, Stop
from service.storage.database import MARKS_KEPT, Database
from service.storage.purge import purge
from service.tickets.build import build_tickets
from service.tickets.endings import Endings
from service.webhooks.build import webhook_targets
from service.wechat.access_tokens import AccessTokens
from service.wechat.build import build_push_accounts
from service.wechat.clients import WeChatClients, open_clients

log = logging.getLogger(__name__)

LARGEST_BODY: Final = 64 * 1024
TASKS: Final = web.AppKey("tasks", Tasks)
"""The background tasks of this generation."""
TAKE_OVER: Final[web.AppKey[Callable[[], None]]] = web.AppKey("take_over")
"""Called when this generation begins to handle the requests."""


def utcnow() -> datetime:
    return datetime.now(UTC)


def make_app(
    settings: Settings, resources: Resources, *, current: Callable[[], web.Application]
) -> web.Application:
    """Build the service as an aiohttp application on *resources*; all else opens when it starts.

    *current* returns the application that handles new requests: this one, until a reload replaces it. Starting
    raises ConfigError if settings and data do not fit together, and StoreUnavailable if the database does not
    answer.
    """
    app = web.Application(middlewares=[frame], client_max_size=LARGEST_BODY)
    app[app_keys.SETTINGS] = settings
    app[app_keys.CURRENT] = current
    app[app_keys.CLIENT_SECRETS] = ClientSecrets(settings.clients)
    app[app_keys.SEALING_KEYS] = SealingKeys(settings.clients)
    app[app_keys.CLOCK] = resources.clock
    app[app_keys.LOADED_AT] = resources.clock()
    app[app_keys.METRICS] = resources.metrics
    app[app_keys.AUDIT] = resources.audit
    app[app_keys.FEED] = resources.feed
    app[app_keys.WAIT_LIMITER] = resources.waits
    app[app_keys.ACCOUNTS] = build_push_accounts(settings)
    app[app_keys.DRAINING] = asyncio.Event()
    app[app_keys.OPEN_REQUESTS] = OpenRequests()
    app[STOP] = Stop()
    install(app)
    app.on_response_prepare.append(mark)
    app.cleanup_ctx.append(partial(_generation, resources=resources))
    return app


async def _generation(app: web.Application, *, resources: Resources) -> AsyncIterator[None]:
    """Build the use cases on *resources*, and keep the background work running."""
    settings, stop, audit = app[app_keys.SETTINGS], app[STOP], resources.audit
    sql, redis = resources.stores.database, resources.stores.redis
    async with AsyncExitStack() as stack:
        await reencryption.check(sql, reencryption.cipher(settings))
        wechat = await stack.enter_async_context(stop.ends(Step.WECHAT, open_clients(settings, redis=redis)))
        keyring = Keyring.derive(resolve_secret_keys(settings), settings.clients)
        app[app_keys.KEYRING] = keyring
        base = Foundation(
            settings=settings,
            stores=resources.stores,
            keyring=keyring,
            audit=audit,
            metrics=resources.metrics,
            clock=resources.clock,
        )
        work = _compose(app, base, wechat, resources)
        sender = app[app_keys.SENDER]
        stack.push_async_callback(lambda: stop.end(Step.DELIVERIES, sender.finish()))
        await _warn_of_former_appids(sql, settings)
        await audit.key_in_use("secret_key", keyring.fingerprint)
        await audit.key_in_use("encryption", reencryption.cipher(settings).newest or CLEAR)
        tasks = app[TASKS] = await stack.enter_async_context(stop.ends(Step.BACKGROUND, beside(work)))
        stack.push_async_callback(lambda: stop.end(Step.PUSHES, app[app_keys.LAST_PUSHES].finish()))
        stack.push_async_callback(lambda: stop.end(Step.PUSHES, app[app_keys.PUSH_DISPATCHER].finish()))

        async def look_after_tasks() -> None:
            if any(task.done() for task in (*tasks, *resources.tasks)):
                raise RuntimeError("a background task has ended")

        checks: dict[str, app_keys.Check] = {
            "redis": SharedCheck("redis", partial(redis_takes_writes, redis)),
            "database": SharedCheck("database", partial(database_takes_writes, sql)),
            "background": look_after_tasks,
        }
        app[app_keys.CHECKS] = checks
        yield


def _compose(app: web.Application, base: Foundation, wechat: WeChatClients, resources: Resources) -> list[Work]:
    """Build every feature, the lower layers first; return the work to be done in the background."""
    settings, database = base.settings, base.stores.database
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
    tickets = build_tickets(base, feed=resources.feed, methods=methods, limits=limits.rates, people=people)
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
    app[app_keys.TICKET_STATUS] = records.status
    app[app_keys.TICKET_ISSUER] = tickets.issuer
    app[app_keys.CODE_EXCHANGE] = tickets.exchange
    app[app_keys.PUSH_DISPATCHER] = pushes
    app[app_keys.LAST_PUSHES] = LastPushes(base.stores.redis)
    app[app_keys.VISITS] = visits = build_visits(
        base, wechat=wechat, pictures=resources.pictures, people=people, records=records, confirmation=confirmation
    )
    app[app_keys.LINKS] = build_links(visits, confirmation=confirmation)
    app[app_keys.MINI_PROGRAM_SCANS] = build_mini_program_scans(
        base, apis=wechat.mini_programs, records=records, confirmation=confirmation
    )
    app[app_keys.CODE_PICTURES] = CodePictures(base.stores.redis)
    cleaning = _cleaning(app, database, records.endings, passcodes.index, people.profiles)
    completing = partial(upkeep.run, upkeep.steps(people.followers))
    targets: dict[str, Target] = {
        **webhook_targets(base, outbox=outbox, http=resources.http),
        **notice_targets(base, identities=people.identities, apis=wechat.apis),
    }
    app[app_keys.SENDER] = sender = Sender(database=database, outbox=outbox, targets=targets, clock=base.clock)
    app[app_keys.UNDO] = build_undo(base, identities=people.identities)

    def take_over() -> None:
        database.on_commit = outbox.committed
        limits.quota.show(base.metrics)

    app[TAKE_OVER] = take_over
    return [records.projection.run, people.follower_refresh.run, completing, sender.run, cleaning]


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
