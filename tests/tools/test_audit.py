"""A known vulnerability fails, and so does an unreachable database, unless that was allowed."""

import pytest

from tools.audit import UNREACHED, verdict

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "odd", "skip_reason": "not found"}


@pytest.mark.parametrize("packages", [None, [UNKNOWN]])
def test_an_unreachable_database_fails_unless_that_is_allowed(packages: list[dict[str, str]] | None) -> None:
    assert verdict(packages, offline_allowed=False) == (1, [UNREACHED])
    assert verdict(packages, offline_allowed=True) == (0, [UNREACHED])


@pytest.mark.parametrize(
    ("packages", "named"), [([GOOD, BAD], "CVE-1"), ([GOOD, UNKNOWN], "odd"), ([BAD, UNKNOWN], "CVE-1")]
)
def test_a_finding_fails_with_and_without_offline_allowed(packages: list[dict[str, object]], named: str) -> None:
    status, lines = verdict(packages, offline_allowed=True)
    assert status == 1
    assert named in lines[0]


def test_nothing_found_is_good() -> None:
    assert verdict([GOOD], offline_allowed=False) == (0, ["no known vulnerability in 1 packages"])
