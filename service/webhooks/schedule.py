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
    pause = _pause(state, answer)
    return replace(state, paused_until=now + pause * (1 + spread) if pause else None)


def _pause(state: EndpointState, answer: Answer) -> timedelta:
    if state.disabled is EndpointFault.FAILING:
        return max(PROBE, answer.retry_after or timedelta())
    if answer.retry_after is not None:
        return answer.retry_after
    if answer.status in _SLOW_DOWN:
        return min(_SHORTEST * (1 << min(state.failures - 1, 10)), _LONGEST)
    return timedelta()
