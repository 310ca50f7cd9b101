"""A target that keeps failing is left alone for a while, then tried once."""

from service.pushes.breaker import FAILURES, PAUSE, Breaker


def broken() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.lets(now=100)
        breaker.failed(now=100)
    return breaker


def test_after_some_failures_in_a_row_no_call_is_let_through() -> None:
    assert not broken().lets(now=100)


def test_a_success_between_them_starts_the_count_again() -> None:
    breaker = Breaker()
    for _ in range(3 * FAILURES):
        breaker.failed(now=100)
        breaker.succeeded()
    assert breaker.lets(now=100)


def test_after_the_pause_one_call_at_a_time_tries() -> None:
    """Red when every call is let through after the pause: each would wait for the timeout."""
    breaker = broken()
    after = 100 + PAUSE
    assert [breaker.lets(now=after) for _ in range(3)] == [True, False, False]
    breaker.failed(now=after)
    assert not breaker.lets(now=after + PAUSE - 1)
    assert breaker.lets(now=after + PAUSE)
    breaker.succeeded()
    assert breaker.lets(now=after + PAUSE)
