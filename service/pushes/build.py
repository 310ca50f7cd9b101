"""Builds what handles the pushes of WeChat."""

from collections.abc import Callable
from datetime import datetime

from service.audit.log import AuditLog
from service.config.settings import Settings
from service.confirmation.build import ConfirmationServices
from service.identities.build import IdentityServices
from service.observability.metrics import Metrics
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure
from service.pushes.dispatcher import PushDispatcher
from service.pushes.reply_cache import ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import RateLimits
from service.storage.stores import Stores
from service.tickets.store import TicketStore


def build_pushes(
    settings: Settings,
    stores: Stores,
    *,
    limits: RateLimits,
    people: IdentityServices,
    tickets: TicketStore,
    confirmation: ConfirmationServices,
    audit: AuditLog,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> PushDispatcher:
    """Build the dispatcher of pushes, with all that it needs of this package."""
    unfollow = UnfollowHandler(
        accounts=settings.accounts,
        erasure=FollowerErasure(stores.database, people.identities),
        departures=people.departures,
        redis_erasure=RedisErasure(stores.redis, store=tickets, questions=confirmation.questions),
        audit=audit,
        clock=clock,
    )
    return PushDispatcher(
        reply_cache=ReplyCache(stores.redis, people.departures),
        limits=limits,
        scans=confirmation.scans,
        answers=confirmation.answers,
        follower_refresh=people.follower_refresh,
        unfollow=unfollow,
        audit=audit,
        metrics=metrics,
    )
