"""A commit is compared with the checkout: a ratio that lost more than a tenth is named.

Red when the runs of one checkout import the other's code, a smaller loss fails, or a figure is not shown.
"""

import subprocess
from pathlib import Path

import pytest

from bench.compare import main

BENCH = """
import json
from bench import value

print("a table")
print(json.dumps({"ratios": {"rate": value.VALUES}, "figures": {"CPU ms": value.VALUES[0] * 7}}))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose `poll` has a ratio of 1, committed as HEAD."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "poll.py").write_text(BENCH)
    (folder / "create.py").write_text('print("no JSON")')
    _ratio(tmp_path, 1.0, 1.0, 0.1)
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def _ratio(checkout: Path, *values: float) -> None:
    (checkout / "bench" / "value.py").write_text(f"VALUES = {list(values)}")


@pytest.mark.parametrize(("now", "status"), [(0.8, 1), (0.95, 0), (1.3, 0)])
def test_a_ratio_that_lost_more_than_a_tenth_fails(
    checkout: Path, now: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    _ratio(checkout, now, now, 9.0)  # medians count
    assert main("HEAD", benches=["poll"], times=2, root=checkout) == status
    printed = capsys.readouterr().out
    assert ("more than a tenth slower than HEAD: poll, rate" in printed) == bool(status)
    assert ["CPU ms", "7", f"{now * 7:.4g}"] in [line.rsplit(maxsplit=2) for line in printed.splitlines()]


def test_what_the_commit_does_not_have_is_skipped(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("HEAD", benches=["waiters", "create"], times=1, root=checkout) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waiters: skipped, HEAD does not have it",
        "create: skipped, at HEAD it does not end with a line of JSON",
    ]


def test_an_unknown_commit_is_named(checkout: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere is no commit of this repository"):
        main("nowhere", benches=["poll"], times=1, root=checkout)
