"""What counts as well, and how long ago is written. Red when a store that is down leaves the status good."""

from dataclasses import replace
from datetime import timedelta

import pytest
from reports import DATABASE, DOWN, PROCESS, WELL

from service.status.report import Report, age


def test_an_installation_that_works_has_no_fault() -> None:
    assert WELL.faults == ()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (replace(WELL, processes=[]), "no process is running"),
        (replace(WELL, processes=[PROCESS, DOWN]), "a process does not answer"),
        (replace(WELL, redis=DOWN), "redis does not answer"),
        (replace(WELL, database=DOWN), "database does not answer"),
        (
            replace(WELL, database=replace(DATABASE, schema="0022")),
            "the schema is not that of this version: run `scanbind migrate`",
        ),
        (replace(WELL, disk=replace(WELL.disk, free=99 * 1024**2)), "the disk is nearly full"),
    ],
    ids=["no process", "one process hangs", "redis", "database", "schema", "disk"],
)
def test_each_fault_is_one_line(changed: Report, fault: str) -> None:
    assert changed.faults == (fault,)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7261, "2 h 1 min"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
        (86_460, "1 d"),
    ],
)
def test_a_span_is_written_in_its_two_largest_units(seconds: int, written: str) -> None:
    assert age(timedelta(seconds=seconds)) == written
