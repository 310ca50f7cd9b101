"""The transitions of a ticket: the listed ones happen, no others do, and SQL's ending wins."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from models.events import OpenId
from models.requester import Requester
from models.ticket import TRANSITIONS, Ending, Outcome, Reason, Signal, Status, Ticket, TicketId, advance, settle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
ANNA, BERT = OpenId("oAnna"), OpenId("oBert")
NEW = Ticket(TicketId("t"), requester=Requester(browser="Chrome", state="xyz"), version=7)
SCANNED = replace(NEW, status=Status.SCANNED, openid=ANNA, checked_at=NOW)
LISTED = [(status, signal) for status, signals in TRANSITIONS.items() for signal in signals]
ANY = [replace(SCANNED, status=status) for status in Status]


def _ending(status: Status, **how: object) -> Ending:
    ending = Ending(NEW.id, "shop", status, answered_at=NOW, expires_at=LATER)
    return replace(ending, **how)  # type: ignore[arg-type]  # one helper for every field


LOGIN = _ending(Status.CONFIRMED, openid=ANNA, outcome=Outcome.LOGIN)
ENDINGS = [
    LOGIN,
    replace(LOGIN, code_used_at=LATER),
    _ending(Status.CONFIRMED, openid=ANNA, outcome=Outcome.BOUND),
    _ending(Status.REJECTED, openid=ANNA, reason=Reason.DECLINED),
    _ending(Status.CANCELLED),
]


def test_every_signal_is_known_at_every_status() -> None:
    assert set(LISTED) == {*product(Status, Signal)}


@pytest.mark.parametrize(("status", "signal"), LISTED)
def test_what_is_listed_happens(status: Status, signal: Signal) -> None:
    moved = advance(replace(NEW, status=status), signal, now=NOW, openid=ANNA)
    assert moved.status is TRANSITIONS[status][signal]


@pytest.mark.parametrize(
    ("status", "signal"), [(status, signal) for status, signal in LISTED if TRANSITIONS[status][signal] is status]
)
def test_a_self_loop_returns_the_very_same_ticket(status: Status, signal: Signal) -> None:
    ticket = replace(SCANNED, status=status)
    assert advance(ticket, signal, now=LATER, openid=BERT) is ticket


@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_only_an_ending_moves_what_has_ended(status: Status) -> None:
    ticket = replace(SCANNED, status=status)
    assert advance(ticket, Signal.SCAN, now=LATER, openid=BERT) is ticket
    assert advance(ticket, Signal.LAPSE, now=LATER) is ticket


def test_two_statuses_are_not_final() -> None:
    assert {status for status in Status if not status.final} == {Status.PENDING, Status.SCANNED}


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCANNED])
def test_what_is_open_can_lapse(status: Status) -> None:
    assert advance(replace(SCANNED, status=status), Signal.LAPSE, now=LATER).status is Status.EXPIRED


def test_the_first_to_scan_owns_the_ticket() -> None:
    assert advance(NEW, Signal.SCAN, now=NOW, openid=ANNA) == SCANNED


def test_a_second_phone_changes_nothing() -> None:
    assert advance(SCANNED, Signal.SCAN, now=LATER, openid=BERT) is SCANNED


@pytest.mark.parametrize("signal", [Signal.LAPSE, Signal.CONFIRM, Signal.REFUSE, Signal.CANCEL])
def test_only_a_scan_makes_an_owner(signal: Signal) -> None:
    assert advance(SCANNED, signal, now=LATER, openid=BERT).openid == ANNA
    assert advance(NEW, signal, now=LATER, openid=BERT).openid is None


def test_every_change_is_dated_and_keeps_who_asks() -> None:
    moved = advance(SCANNED, Signal.LAPSE, now=LATER)
    assert (moved.checked_at, moved.requester, moved.version) == (LATER, NEW.requester, NEW.version)


@pytest.mark.parametrize(("ticket", "ending"), list(product(ANY, ENDINGS)))
def test_the_ending_in_sql_is_what_is_shown(ticket: Ticket, ending: Ending) -> None:
    shown = settle(ticket, ending, now=LATER)
    assert shown.status is ending.status
    assert (shown.openid, shown.outcome, shown.reason) == (ending.openid, ending.outcome, ending.reason)
    assert (shown.answered_at, shown.code_used) == (NOW, ending.code_used_at is not None)
    assert settle(shown, ending, now=LATER) is shown


def test_another_person_than_the_scanner_may_have_ended_it() -> None:
    assert settle(replace(SCANNED, openid=BERT), LOGIN, now=LATER).openid == ANNA


def test_a_used_code_is_shown_on_a_settled_ticket() -> None:
    settled = settle(NEW, LOGIN, now=LATER)
    used = settle(settled, replace(LOGIN, code_used_at=LATER), now=LATER)
    assert (settled.code_used, used.code_used) == (False, True)


def test_a_row_read_before_the_code_was_used_does_not_give_it_back() -> None:
    used = settle(NEW, replace(LOGIN, code_used_at=LATER), now=LATER)
    assert settle(used, LOGIN, now=LATER) is used
