"""Builds the dispatcher of WeChat's pushes."""

from functools import partial

from models.confirmation import could_answer, nearly_answers
from service.confirmation.build import ConfirmationServices
from service.foundation import Foundation
from service.identities.build import IdentityServices
from service.methods.passcode_reader import PasscodeReader
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure
from service.pushes.claims import PushClaims
from service.pushes.dispatcher import PushDispatcher
from service.pushes.forwarding import PushForwarding
from service.pushes.greetings import Greetings
from service.pushes.other_chat import OtherChat
from service.pushes.reply_cache import ReplyCache
from service.pushes.target_line import TargetLine
from service.pushes.unfollow import UnfollowHandler
from service.rate_limiting.rates import RateLimits
from service.tickets.store import TicketStore
from service.wechat.build import build_forward_targets
from service.wechat.push_targets import PushTargets


def build_pushes(
    base: Foundation,
    *,
    limits: RateLimits,
    people: IdentityServices,
    tickets: TicketStore,
    confirmation: ConfirmationServices,
    passcodes: PasscodeReader,
    targets: PushTargets,
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
    reply_cache = ReplyCache(redis, people.departures)
    accounts = base.settings.accounts
    return PushDispatcher(
        greetings=Greetings(accounts=accounts, passcodes=passcodes),
        other_chat=OtherChat(
            accounts=accounts,
            forwarding=PushForwarding(lines=_lines(base, passcodes, targets)),
            claims=PushClaims(redis),
            reply_cache=reply_cache,
        ),
        reply_cache=reply_cache,
        limits=limits,
        scans=confirmation.scans,
        answers=confirmation.answers,
        passcodes=passcodes,
        follower_refresh=people.follower_refresh,
        unfollow=unfollow,
        audit=base.audit,
        metrics=base.metrics,
    )


def _lines(base: Foundation, passcodes: PasscodeReader, client: PushTargets) -> dict[str, list[TargetLine]]:
    accounts, targets = base.settings.accounts, build_forward_targets(base.settings)
    return {
        name: [
            TargetLine(
                account=name,
                index=index,
                target=target,
                names=frozenset(event.lower() for event in settings.events),
                copies=settings.copies,
                replies=settings.reply == "first",
                timeout=settings.timeout,
                client=client,
                is_answer=partial(_is_answer, passcodes, name),
                metrics=base.metrics,
                clock=base.clock,
            )
            for index, (settings, target) in enumerate(zip(accounts[name].forward, targets[name], strict=True))
        ]
        for name in targets
    }


def _is_answer(passcodes: PasscodeReader, account: str, text: str) -> bool:
    """Tell whether *text* could be an answer to a question, nearly one, or a passcode of *account*."""
    return could_answer(text) or nearly_answers(text) or passcodes.reads(account, text)
