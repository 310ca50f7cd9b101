"""When a webhook is tried again, and when its endpoint is left alone (contract.md 9). Knows no clock, no SQL."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from models.outbox import EndpointFault
from service.webhooks.answer import Answer

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between a failure and the next try. After as many and one more, an event is dead."""
SPREAD: Final = 0.2
"""By what part pauses vary, so that events that failed together do not come back together."""
_GONE: Final = 410
_SLOW_DOWN: Final = frozenset((429, 502, 504))
_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(minutes=5)
"""How long all events wait for an endpoint that asks to slow down: twice as long after each failure."""
_FAILURES: Final = 10
_FAILING: Final = timedelta(minutes=10)
"""After so many failures in a row, over as long, an endpoint is disabled: longer than a restart takes."""
PROBE: Final = timedelta(minutes=5)
"""Between two tries at an endpoint that is disabled because it fails."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is known against an endpoint."""

    failures: int = 0
    """In a row."""
    failing_since: datetime | None = None
    disabled: EndpointFault | None = None
    disabled_at: datetime | None = None
    paused_until: datetime | None = None
    """Nothing is tried before."""


def next_try(tries: int, answer: Answer, *, now: datetime, spread: float) -> datetime | None:
    """Return when an event is tried again that failed now, and *tries* times before; None if it is dead.

    `spread`: from -SPREAD to SPREAD.
    """
    if tries >= len(PAUSES):
        return None
    return now + max(PAUSES[tries] * (1 + spread), answer.retry_after or timedelta())


def after_failure(state: EndpointState, answer: Answer, *, now: datetime, spread: float) -> EndpointState:
    """Return the state of an endpoint after a failure."""
    since = state.failing_since or now
    state = replace(state, failures=state.failures + 1, failing_since=since)
    if answer.status == _GONE:
        return replace(state, disabled=EndpointFault.GONE, disabled_at=now)
    fails = state.failures >= _FAILURES and now - since >= _FAILING
    if fails and state.disabled is None:
        state = replace(state, disabled=EndpointFault.FAILING, disabled_at=now)
    until = max((it for it in (state.paused_until, _pause(state, answer, now, spread)) if it), default=None)
    return replace(state, paused_until=until)


def after_success(state: EndpointState, *, now: datetime) -> EndpointState | None:
    """Return the state of an endpoint after a success; None if nothing is known against it any more.

    A pause that another try was asked for meanwhile stands.
    """
    if state.disabled is EndpointFault.GONE:
        return state
    if state.disabled is None and state.paused_until and state.paused_until > now:
        return EndpointState(paused_until=state.paused_until)
    return None


def _pause(state: EndpointState, answer: Answer, now: datetime, spread: float) -> datetime | None:
    """Return until when a failure pauses an endpoint, at least as long as it asks for."""
    if state.disabled is EndpointFault.FAILING:
        return now + max(PROBE * (1 + spread), answer.retry_after or timedelta())
    if answer.retry_after is not None:
        return now + answer.retry_after
    if answer.status in _SLOW_DOWN:
        return now + min(_SHORTEST * (1 << min(state.failures - 1, 10)), _LONGEST) * (1 + spread)
    return None
