"""When a webhook is tried again, and when its endpoint is disabled or left alone for a while (contract.md 9)."""

from datetime import UTC, datetime, timedelta

import pytest

from models.outbox import EndpointFault
from service.webhooks.answer import Answer
from service.webhooks.schedule import PAUSES, PROBE, SPREAD, EndpointState, after_failure, after_success, next_try

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
S, M, H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FAILED = Answer(500, "HTTP 500")
GONE = Answer(410, "HTTP 410")


def asking(pause: timedelta, status: int = 503) -> Answer:
    return Answer(status, f"HTTP {status}", pause)


def failed_often(times: int, *, apart: timedelta, answer: Answer = FAILED) -> EndpointState:
    state = EndpointState()
    for number in range(times):
        state = after_failure(state, answer, now=NOW + number * apart, spread=0)
    return state


# --- an event


def test_the_pauses_are_those_of_the_contract() -> None:
    told = [5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H]
    assert [next_try(tries, FAILED, now=NOW, spread=0) for tries in range(9)] == [NOW + each for each in told]


def test_after_the_tenth_try_an_event_is_dead() -> None:
    assert next_try(8, FAILED, now=NOW, spread=0)
    assert next_try(9, FAILED, now=NOW, spread=0) is None
    assert next_try(9, asking(1 * H), now=NOW, spread=0) is None


@pytest.mark.parametrize("spread", [-SPREAD, SPREAD])
def test_a_pause_varies_by_a_fifth(spread: float) -> None:
    assert SPREAD == 0.2
    assert next_try(0, FAILED, now=NOW, spread=spread) == NOW + 5 * S * (1 + spread)
    assert next_try(8, FAILED, now=NOW, spread=spread) == NOW + 24 * H * (1 + spread)


def test_a_longer_pause_that_the_receiver_asks_for_wins_and_is_never_cut_short() -> None:
    assert next_try(0, asking(1 * H), now=NOW, spread=-SPREAD) == NOW + 1 * H
    assert next_try(1, asking(1 * S), now=NOW, spread=0) == NOW + PAUSES[1]


# --- an endpoint


def test_failures_are_counted_from_the_first() -> None:
    state = failed_often(3, apart=1 * M)
    assert (state.failures, state.failing_since) == (3, NOW)
    assert (state.disabled, state.paused_until) == (None, None)


def test_410_disables_at_once() -> None:
    state = after_failure(EndpointState(), GONE, now=NOW, spread=0)
    assert (state.disabled, state.disabled_at) == (EndpointFault.GONE, NOW)


def test_410_disables_an_endpoint_that_is_disabled_because_it_fails() -> None:
    state = failed_often(10, apart=2 * M)
    assert after_failure(state, GONE, now=NOW + 1 * H, spread=0).disabled is EndpointFault.GONE


def test_ten_failures_over_ten_minutes_disable() -> None:
    assert failed_often(10, apart=10 * M / 9).disabled is EndpointFault.FAILING


@pytest.mark.parametrize(
    ("times", "apart"), [(9, 2 * M), (50, 12 * S), (10, 1 * M)], ids=["too few", "too short", "nine minutes"]
)
def test_fewer_failures_or_a_shorter_time_do_not(times: int, apart: timedelta) -> None:
    assert failed_often(times, apart=apart).disabled is None


def test_a_disabled_endpoint_is_tried_every_five_minutes() -> None:
    state = failed_often(10, apart=2 * M)
    assert (state.disabled_at, state.paused_until) == (NOW + 18 * M, NOW + 18 * M + PROBE)
    again = after_failure(state, FAILED, now=NOW + 23 * M, spread=SPREAD)
    assert again.disabled_at == NOW + 18 * M
    assert again.paused_until == NOW + 23 * M + PROBE * (1 + SPREAD)


def test_a_disabled_endpoint_that_asks_for_longer_gets_it() -> None:
    state = failed_often(10, apart=2 * M)
    assert after_failure(state, asking(1 * H), now=NOW + 1 * H, spread=0).paused_until == NOW + 2 * H


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_endpoint_that_is_overloaded_is_paused_twice_as_long_each_time(status: int) -> None:
    answer, state, pauses = Answer(status, f"HTTP {status}"), EndpointState(), []
    for _ in range(8):
        state = after_failure(state, answer, now=NOW, spread=0)
        assert state.paused_until
        pauses.append(state.paused_until - NOW)
    assert pauses == [5 * S, 10 * S, 20 * S, 40 * S, 80 * S, 160 * S, 5 * M, 5 * M]


def test_the_pause_after_very_many_failures_is_no_longer() -> None:
    state = EndpointState(failures=1_000_000, failing_since=NOW)
    assert after_failure(state, Answer(429, "HTTP 429"), now=NOW, spread=0).paused_until == NOW + 5 * M


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_holds_all_events_of_the_endpoint(status: int) -> None:
    state = after_failure(EndpointState(), asking(2 * H, status), now=NOW, spread=0)
    assert state.paused_until == NOW + 2 * H


def test_a_retry_after_is_never_cut_short_by_the_spread() -> None:
    state = after_failure(EndpointState(), asking(2 * H), now=NOW, spread=-SPREAD)
    assert state.paused_until
    assert state.paused_until >= NOW + 2 * H


@pytest.mark.parametrize("other", [FAILED, asking(1 * S), Answer(429, "HTTP 429")], ids=["500", "503", "429"])
def test_a_try_that_ends_later_does_not_shorten_a_pause(other: Answer) -> None:
    state = after_failure(EndpointState(), asking(2 * H), now=NOW, spread=0)
    assert after_failure(state, other, now=NOW + 1 * S, spread=0).paused_until == NOW + 2 * H


def test_a_failure_of_another_kind_pauses_nothing() -> None:
    assert after_failure(EndpointState(), FAILED, now=NOW, spread=0).paused_until is None


def test_a_success_clears_what_was_known() -> None:
    assert after_success(failed_often(3, apart=1 * M), now=NOW) is None
    assert after_success(failed_often(10, apart=2 * M), now=NOW + 1 * M) is None


def test_a_success_that_was_under_way_does_not_end_a_pause() -> None:
    state = after_failure(failed_often(3, apart=1 * M), asking(2 * H), now=NOW + 3 * M, spread=0)
    after = EndpointState(paused_until=NOW + 3 * M + 2 * H)
    assert after_success(state, now=NOW + 4 * M) == after
    assert after_success(after, now=NOW + 3 * H) is None


def test_a_success_that_was_under_way_does_not_enable_an_endpoint_that_is_gone() -> None:
    state = after_failure(EndpointState(), GONE, now=NOW, spread=0)
    assert after_success(state, now=NOW + 1 * M) == state
