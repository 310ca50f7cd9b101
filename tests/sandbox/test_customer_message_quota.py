import pytest

from sandbox.customer_message_quota import Allowance
from sandbox.errors import Refused


def errcode(allowance: Allowance, *, now: float) -> int:
    try:
        allowance.spend(now=now)
    except Refused as e:
        return e.errcode
    return 0


def test_nothing_may_be_sent_to_whom_nothing_was_heard_of() -> None:
    assert errcode(Allowance(), now=0) == 45015


def test_a_message_allows_five_within_two_days() -> None:
    allowance = Allowance()
    allowance.grant("message", now=0)
    assert [errcode(allowance, now=1) for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
    assert errcode(allowance, now=48 * 3600) == 45015


@pytest.mark.parametrize("doing", ["scan", "follow", "click"])
def test_other_doings_allow_three_within_a_minute(doing: str) -> None:
    allowance = Allowance()
    allowance.grant(doing, now=0)
    assert [errcode(allowance, now=59) for _ in range(4)] == [0, 0, 0, 45047]
    allowance.grant(doing, now=60)
    assert errcode(allowance, now=61) == 0
    assert errcode(allowance, now=120) == 45015


def test_what_ends_sooner_is_spent_first() -> None:
    allowance = Allowance()
    allowance.grant("message", now=0)
    allowance.grant("scan", now=0)
    assert [errcode(allowance, now=1) for _ in range(3)] == [0] * 3
    assert [errcode(allowance, now=61) for _ in range(6)] == [0] * 5 + [45047]


def test_leaving_revokes_everything() -> None:
    allowance = Allowance()
    allowance.grant("message", now=0)
    allowance.revoke()
    assert errcode(allowance, now=0) == 45015
