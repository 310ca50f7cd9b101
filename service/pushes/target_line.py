"""One target of an account: which pushes it gets, how it is called, and how it fares."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.errors import Malformed
from models.events import Push
from service.observability.metrics import Metrics
from service.pushes.breaker import Breaker
from service.wechat.chat_links import IsAnswer
from service.wechat.forwarded_push import ForwardTarget, Heard, forwarded
from service.wechat.push_targets import PushTargets, TargetFailed
from service.wechat.relayed_reply import Relayed, Unusable, read_reply

log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Calls of one target at a time; others wait, within their timeout."""
_LOGGED_ONCE_IN: Final = 60.0


@dataclass(slots=True, kw_only=True)
class TargetLine:
    """Calls one target. Every failure is no reply: it is counted, and logged once a minute."""

    account: str
    index: int
    target: ForwardTarget
    names: frozenset[str]
    """In lower case; empty: all."""
    copies: bool
    replies: bool
    timeout: float
    client: PushTargets
    is_answer: IsAnswer
    metrics: Metrics
    clock: Callable[[], datetime]
    calls: "set[asyncio.Task[Relayed | None]]" = field(default_factory=set, init=False)
    """Under way, waiting ones included."""
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE), init=False)
    _breaker: Breaker = field(default_factory=Breaker, init=False)
    _quiet_until: float = field(default=0.0, init=False)

    def wants(self, push: Heard) -> bool:
        return not self.names or push.name in self.names

    async def pass_on(self, push: Heard, *, to: Push | None) -> Relayed | None:
        """Pass *push* on; return the usable reply to the push *to*, if any. Without *to*, none is read."""
        if not self._breaker.lets(now=_now()):
            self._count("skipped")
            return None
        try:
            async with asyncio.timeout(self.timeout), self._slots:
                answer = await self.client.post(forwarded(push, self.target, now=self.clock()))
        except TimeoutError:
            self._failed("timeout", f"no answer within {self.timeout:.0f} seconds")
        except TargetFailed as fault:
            self._failed("failed", str(fault))
        except Malformed:
            self._refuse("unconverted", f"the push cannot be written as {self.target.format.upper()}")
        else:
            self._breaker.succeeded()
            return self._read(answer, to)
        return None

    def drop(self) -> None:
        """Count a push that is not passed on because too many are under way."""
        self._refuse("dropped", "too many pushes are being passed on")

    def _read(self, answer: bytes, to: Push | None) -> Relayed | None:
        if to is None:
            self._count("sent")
            return None
        try:
            reply = read_reply(answer, self.target, to=to, now=self.clock(), is_answer=self.is_answer)
        except Unusable as fault:
            self._refuse("unusable", f"its answer {fault}")
            return None
        self._count("replied" if reply else "sent")
        return reply

    def _failed(self, outcome: str, why: str) -> None:
        self._breaker.failed(now=_now())
        self._refuse(outcome, why)

    def _refuse(self, outcome: str, why: str) -> None:
        self._count(outcome)
        if _now() >= self._quiet_until:
            self._quiet_until = _now() + _LOGGED_ONCE_IN
            place = f"accounts.{self.account}.forward.{self.index}"
            log.warning("forward: no reply from %s: %s; further failures are logged in a minute", place, why)

    def _count(self, outcome: str) -> None:
        self.metrics.forwarded.labels(self.account, str(self.index), outcome).inc()


def _now() -> float:
    return asyncio.get_running_loop().time()
