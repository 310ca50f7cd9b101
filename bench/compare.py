"""Compares this checkout with another commit: `python -m bench.compare REF`.

Both run their own benchmarks in turn with this Python, so that other load of the machine slows both. The medians
of all ratios and figures are printed; the exit status is 1 if a ratio is more than a tenth smaller than at REF.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import figures

BENCHES: Final = ("poll", "callback", "create", "login", "scale", "waiters", "webhooks")
_KEPT: Final = 0.9
"""The share of a ratio that must remain."""

Values = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the runs of a benchmark measured, by name."""

    ratios: Values = field(default_factory=dict)
    figures: Values = field(default_factory=dict)

    def add(self, printed: Mapping[str, Any]) -> None:
        """Add the line of JSON of a run."""
        for name, values in printed["ratios"].items():
            self.ratios.setdefault(name, []).extend(values)
        for name, value in printed.get("figures", {}).items():
            self.figures.setdefault(name, []).append(value)


def main(ref: str, *, benches: Sequence[str], times: int, root: Path) -> int:
    """Run each of *benches* so many *times* at *ref* and in *root*; return the exit status."""
    lost: list[str] = []
    with tempfile.TemporaryDirectory(prefix="scanbind-bench-") as folder:
        earlier = Path(folder)
        _check_out(ref, root=root, to=earlier)
        for bench in benches:
            if not (earlier / "bench" / f"{bench}.py").exists():
                print(f"{bench}: skipped, {ref} does not have it")
            elif (pair := _in_turn(bench, earlier, root, times=times)) is None:
                print(f"{bench}: skipped, at {ref} it does not end with a line of JSON")
            else:
                lost += _compared(bench, *pair, ref=ref)
    for name in lost:
        print(f"more than a tenth slower than {ref}: {name}")
    return 1 if lost else 0


def _check_out(ref: str, *, root: Path, to: Path) -> None:
    command = ["git", "archive", "--format=tar", ref]
    archive = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=False)
    if archive.returncode:
        sys.exit(f"{ref} is no commit of this repository")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(to, filter="data")


def _in_turn(bench: str, *checkouts: Path, times: int) -> tuple[Measured, Measured] | None:
    """Return what was measured in both checkouts; None if a run prints no line of JSON."""
    both = Measured(), Measured()
    for _ in range(times):
        for measured, checkout in zip(both, checkouts, strict=True):
            if (printed := _run(bench, checkout)) is None:
                return None
            measured.add(printed)
    return both


def _run(bench: str, checkout: Path) -> Mapping[str, Any] | None:
    environ = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", f"bench.{bench}"]
    process = subprocess.run(command, cwd=checkout, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        sys.exit(f"{bench} failed in {checkout}")
    try:
        printed: Mapping[str, Any] = json.loads(process.stdout.splitlines()[-1])
    except ValueError:
        return None
    return printed


def _compared(bench: str, earlier: Measured, here: Measured, *, ref: str) -> list[str]:
    """Print what both have; return the names of the ratios that are lost."""
    rows, lost = [], []
    for name, before, after in _medians(earlier.ratios, here.ratios):
        rows.append((name, f"{before:.4g}", f"{after:.4g}", f"{(after / before - 1) * 100:+.1f} %"))
        if after < before * _KEPT:
            lost.append(f"{bench}, {name}")
    print(f"\n{bench}\n\n{figures.table(('ratio', ref, 'here', 'change'), *rows)}\n")
    if both := _medians(earlier.figures, here.figures):
        shown = ((name, f"{before:.4g}", f"{after:.4g}") for name, before, after in both)
        print(f"{figures.table(('figure', ref, 'here'), *shown)}\n")
    sys.stdout.flush()
    return lost


def _medians(earlier: Values, here: Values) -> list[tuple[str, float, float]]:
    """Return the names that both have, with their medians."""
    names = sorted(earlier.keys() & here.keys())
    return [(name, statistics.median(earlier[name]), statistics.median(here[name])) for name in names]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("ref", metavar="REF", help="the commit to compare with")
    parser.add_argument("--bench", dest="benches", nargs="+", choices=BENCHES, default=BENCHES, help="all")
    parser.add_argument("--times", type=int, default=2, help="runs of each benchmark in each checkout (2)")
    sys.exit(main(**vars(parser.parse_args()), root=Path.cwd()))
