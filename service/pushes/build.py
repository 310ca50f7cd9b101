"""Builds the dispatcher of WeChat's pushes."""

from service.confirmation.build import ConfirmationServices
from service.foundation import Foundation
from service.identities.build import IdentityServices
from service.methods.passcode_reader import PasscodeReader
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure
from service.pushes.dispatcher import PushDispatcher
from service.pushes.reply_cache import ReplyCache
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import RateLimits
from service.tickets.store import TicketStore


def build_pushes(
    base: Foundation,
    *,
    limits: RateLimits,
    people: IdentityServices,
    tickets: TicketStore,
    confirmation: ConfirmationServices,
    passcodes: PasscodeReader,
) -> PushDispatcher:
    """Build the dispatcher and the services of this package that it uses."""
    redis = base.stores.redis
    unfollow = UnfollowHandler(
        accounts=base.settings.accounts,
        erasure=FollowerErasure(base.stores.database, people.identities),
        departures=people.departures,
        redis_erasure=RedisErasure(redis, store=tickets, questions=confirmation.questions),
        audit=base.audit,
        clock=base.clock,
    )
    return PushDispatcher(
        reply_cache=ReplyCache(redis, people.departures),
        limits=limits,
        scans=confirmation.scans,
        answers=confirmation.answers,
        passcodes=passcodes,
        follower_refresh=people.follower_refresh,
        unfollow=unfollow,
        audit=base.audit,
        metrics=base.metrics,
    )
