"""Audit events and changes of bindings share one column, so no word may mean two things.

Covers: models.binding.
"""

from models.audit import AuditEvent
from models.binding import Change


def test_no_event_has_the_name_of_a_change() -> None:
    assert {event.value for event in AuditEvent} & {change.value for change in Change} == set()
