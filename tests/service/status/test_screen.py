"""The screen of `scanbind status`, and its JSON: the same facts, which a person and a program read."""

import json
from dataclasses import replace
from typing import Any

import pytest
from reports import ACCOUNT, DATABASE, DOWN, REDIS, WELL

from service.status.report import Report
from service.status.screen import as_json, screen

SCREEN = """\
scanbind  0.1.0, at 2026-11-30T04:00:00Z
process   4711: version 0.1.0, up 3 d 4 h, configuration loaded 2 min ago; waiting: 12 streams, 3 polls
redis     Valkey 8.1.1, 0.4 ms
database  SQLite 3.45.1, 0.2 ms, schema 0023
account   main: last push 2 min 5 s ago (2026-11-30T03:57:55Z), 12 of 100000 QR codes today
webhooks  3 pending, 1 dead
disk      40.0 of 80.0 GiB free at /var/lib/scanbind"""


def line(report: Report, what: str) -> str:
    [found] = [one for one in screen(report).splitlines() if one.startswith(what)]
    return found.removeprefix(what).strip()


def of_account(**changes: Any) -> Report:
    return replace(WELL, redis=replace(REDIS, accounts={"main": replace(ACCOUNT, **changes)}))


def test_everything_fits_on_one_screen() -> None:
    assert screen(WELL) == SCREEN


def test_what_does_not_answer_is_down_with_its_reason_and_a_fault() -> None:
    report = replace(WELL, redis=DOWN, database=DOWN, processes=[])
    assert line(report, "redis") == line(report, "database") == "down: no answer within 2 seconds"
    assert line(report, "process") == "none is running"
    faults = ["no process is running", "redis does not answer", "database does not answer"]
    assert screen(report).splitlines()[-3:] == [f"fault: {fault}" for fault in faults]
    assert "account" not in screen(report)


def test_another_schema_is_named_with_the_needed_one() -> None:
    older = replace(WELL, database=replace(DATABASE, schema="0022", webhooks=None))
    assert line(older, "database") == "SQLite 3.45.1, 0.2 ms, schema 0022, not 0023"
    empty = replace(WELL, database=replace(DATABASE, schema="", webhooks=None))
    assert line(empty, "database") == "SQLite 3.45.1, 0.2 ms, schema none, not 0023"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"last_push": None}, "main: no push within 90 days, 12 of 100000 QR codes today"),
        ({"last_push": None, "codes_today": None}, "main: no push within 90 days"),
        (
            {"last_push": None, "codes_ended": True},
            "main: no push within 90 days, 12 of 100000 QR codes today; WeChat refuses more today (45009)",
        ),
    ],
    ids=["no push", "no API", "refused"],
)
def test_an_account_without_a_push_or_a_quota_says_so(changes: dict[str, Any], text: str) -> None:
    assert line(of_account(**changes), "account") == text


def test_json_has_the_same_facts_with_times_and_faults() -> None:
    told = json.loads(as_json(replace(WELL, processes=[DOWN])))
    assert told["faults"] == ["a process does not answer"]
    assert told["processes"] == [{"reason": "no answer within 2 seconds"}]
    assert told["redis"]["accounts"]["main"]["last_push"] == "2026-11-30T03:57:55Z"
    assert told["database"]["webhooks"] == {"pending": 3, "dead": 1}
    assert told["disk"] == {"folder": "/var/lib/scanbind", "free": 40 * 1024**3, "total": 80 * 1024**3}
    assert json.loads(as_json(WELL))["processes"][0]["waiting"] == {"streams": 12, "polls": 3}
