"""Audit entries as text for people and JSON for programs."""

from datetime import UTC, datetime, timedelta

import pytest

from models.audit import AuditEntry, AuditEvent
from models.events import shortened
from service.audit import reader

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-02-28", datetime(2026, 2, 28, tzinfo=UTC)),
        ("2026-02-28T08:30", datetime(2026, 2, 28, 8, 30, tzinfo=UTC)),
        ("2026-02-28T08:30+08:00", datetime(2026, 2, 28, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_given_as_people_say_it(text: str, at: datetime) -> None:
    assert reader.since(text, now=NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "-1h", "1w", "1.5h", "9999999d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        reader.since(text, now=NOW)


def test_nothing_that_is_printed_can_pass_for_more_than_it_is() -> None:
    line = AuditEntry(
        NOW, AuditEvent.ANSWERED, "shop", user_id='42\x1b[2J\n2026-03-01 forged client=x "q"', detail="login"
    )
    assert reader.readable(line) == (
        "2026-03-01T12:00:00.000Z answered client=shop "
        'user_id="42\\u001b[2J\\n2026-03-01 forged client=x \\"q\\"" detail=login'
    )


def test_a_count_is_one_word_of_the_line() -> None:
    line = AuditEntry(NOW, AuditEvent.LIMIT_HIT, "shop", detail="tickets_per_address 203.0.113.7, 12 more")
    assert reader.readable(line) == (
        '2026-03-01T12:00:00.000Z limit_hit client=shop detail="tickets_per_address 203.0.113.7, 12 more"'
    )


@pytest.mark.parametrize(
    ("openid", "shown"),
    [("o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "…DIiE3bGY"), ("aBcdef", "…def"), ("A", "…")],
)
def test_of_an_openid_the_end_is_shown_and_never_more_than_half(openid: str, shown: str) -> None:
    assert shortened(openid) == shown
