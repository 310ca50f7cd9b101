"""Repeated events are one entry at once and one more per minute with their number."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.audit import AuditEntry, AuditEvent
from service.audit import repeats
from service.audit.repeats import KINDS, Repeats

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REFUSED = AuditEntry(NOON, AuditEvent.EXCHANGE_REFUSED, "shop", ticket="t1")
HIT = AuditEntry(NOON, AuditEvent.LIMIT_HIT, "shop", detail="tickets_per_address 203.0.113.7")
SCAN = AuditEntry(NOON, AuditEvent.SCANNED, "shop", "main", "t1", "…DIiE3bGY", detail="pending")
GIVEN = AuditEntry(NOON, AuditEvent.TOKEN_GIVEN, "shop", "main")
REPORTED = AuditEntry(NOON, AuditEvent.TOKEN_REPORTED, "shop", "main", detail="not fetched")
KEPT_OUT = AuditEntry(NOON, AuditEvent.TOKEN_REFUSED, "shop", "main")
OPENED = AuditEntry(NOON, AuditEvent.PORTAL_OPENED, "shop", user_id="42")


def later(line: AuditEntry, seconds: float) -> AuditEntry:
    return replace(line, at=line.at + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "line", [REFUSED, HIT, SCAN, OPENED, GIVEN, REPORTED, KEPT_OUT], ids=lambda line: str(line.event)
)
def test_the_first_is_a_line_and_the_others_are_counted(line: AuditEntry) -> None:
    counted = Repeats()
    assert [counted.first(later(line, second)) for second in range(4)] == [True, False, False, False]
    assert counted.ended(NOON + timedelta(seconds=59)) == []
    assert counted.due == NOON + timedelta(minutes=1)
    [more] = counted.ended(NOON + timedelta(seconds=60))
    assert (more.at, more.event, more.client) == (NOON + timedelta(seconds=3), line.event, "shop")
    assert (more.detail or "").endswith("3 more")
    assert counted.ended(NOON + timedelta(seconds=120)) == []
    assert counted.due is None
    assert counted.first(later(line, 60)), "the next minute begins anew"


def test_one_of_a_kind_leaves_nothing_to_tell() -> None:
    counted = Repeats()
    assert counted.first(REFUSED)
    assert counted.rest() == []


@pytest.mark.parametrize(
    "other",
    [
        replace(REFUSED, client="club"),
        replace(HIT, detail="tickets_per_address 203.0.113.8"),
        replace(HIT, user_id="42"),
        replace(SCAN, ticket="t2"),
        replace(SCAN, openid="…somebody"),
        replace(SCAN, detail="another person's"),
        replace(OPENED, user_id="43"),
        replace(GIVEN, account="second"),
        replace(REPORTED, detail="fetched"),
        replace(KEPT_OUT, client="club"),
    ],
)
def test_what_differs_in_what_matters_is_a_line_of_its_own(other: AuditEntry) -> None:
    counted = Repeats()
    for line in (REFUSED, HIT, SCAN, OPENED, GIVEN, REPORTED, KEPT_OUT):
        counted.first(line)
    assert counted.first(other)
    assert not counted.first(other)


def test_what_a_caller_chooses_makes_no_other_kind() -> None:
    """Red when an exchange that was refused is told by its ticket, which may be invented."""
    counted = Repeats()
    told = [counted.first(replace(REFUSED, ticket=f"t{number}")) for number in range(5)]
    assert told == [True] + [False] * 4
    assert [(more.ticket, more.detail) for more in counted.rest()] == [(None, "4 more")]


@pytest.mark.parametrize(
    "event",
    [
        AuditEvent.TICKET_MADE,
        AuditEvent.ANSWERED,
        AuditEvent.CANCELLED,
        AuditEvent.EXCHANGED,
        AuditEvent.DATA_ERASED,
    ],
)
def test_what_cannot_be_done_at_will_is_a_line_each(event: AuditEvent) -> None:
    counted = Repeats()
    assert all(counted.first(AuditEntry(NOON, event, "shop", ticket="t1")) for _ in range(5))
    assert counted.due is None


def test_so_many_kinds_have_lines_and_the_others_are_counted_together() -> None:
    """Red when `first` counts no kinds: a network of addresses would fill the audit log, and the memory."""
    counted = Repeats()
    hits = [replace(HIT, detail=f"tickets_per_address 203.0.113.{number}") for number in range(KINDS + 30)]
    assert [counted.first(hit) for hit in hits] == [True] * KINDS + [False] * 30
    assert counted.first(REFUSED), "other events have kinds of their own"
    assert len(counted._counts) == KINDS + 2
    assert [(more.event, more.client, more.detail) for more in counted.rest()] == [("limit_hit", None, "30 more")]


def test_people_on_a_busy_service_have_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Repeats()
    assert all(counted.first(replace(SCAN, ticket=f"t{number}")) for number in range(KINDS * 10))
    assert max(repeats._MOST.values()) <= 10_000, "and yet there is an end"


def test_counts_name_no_person() -> None:
    """Red when `rest` keeps openid and user id: a person erased in that minute would be named afterwards."""
    counted = Repeats()
    person = AuditEntry(NOON, AuditEvent.LIMIT_HIT, account="main", openid="…DIiE3bGY", detail="scans_per_openid")
    for line in (person, replace(person, openid="…somebody"), OPENED, replace(OPENED, user_id="43")):
        for second in range(3):
            counted.first(later(line, second))
    at = NOON + timedelta(seconds=2)
    assert counted.rest() == [
        AuditEntry(at, "limit_hit", account="main", detail="scans_per_openid, 4 more"),
        AuditEntry(at, "portal_opened", "shop", detail="4 more"),
    ]


def test_a_clock_that_is_set_back_ends_the_minute() -> None:
    counted = Repeats()
    for _ in range(3):
        counted.first(REFUSED)
    assert [more.detail for more in counted.ended(NOON - timedelta(hours=1))] == ["2 more"]
