"""The time of a refusal does not reveal its reason: measured in turn and in process, as `bench.timing` does."""

import statistics

import pytest

from bench import timing


@pytest.mark.alone
@pytest.mark.parametrize("pair", timing.pairs(), ids=lambda pair: pair.name)
def test_refusals_that_look_alike_take_alike(pair: timing.Pair) -> None:
    """Red when `require_ticket_secret` reads the ticket before it checks the secret."""
    assert 0.5 < statistics.median(timing.ratios(pair, samples=150, rounds=3)) < 2
