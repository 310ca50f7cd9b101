"""Checks the locked packages for known vulnerabilities, with pip-audit. Fails on any, and if it cannot check.

`python -m tools.audit LOCK`; with `--offline-allowed`, an unreachable advisory database is no failure.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_TIMEOUT: Final = 300.0
_OPTIONS: Final = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--timeout=20", "--format=json")
UNREACHED: Final = "the advisory database cannot be reached"


def audited(lock: Path) -> list[Mapping[str, Any]] | None:
    """Return pip-audit's result for each package; None if it could not reach the advisory database."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), *_OPTIONS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return None
    try:
        report = json.loads(done.stdout)
    except ValueError:
        sys.stderr.write(done.stderr)
        return None
    packages: list[Mapping[str, Any]] = report["dependencies"]
    return packages


def verdict(packages: Sequence[Mapping[str, Any]] | None, *, offline_allowed: bool) -> tuple[int, list[str]]:
    """Return the exit status and the lines to print."""
    # A mirror without advisories skips every package. If only some are skipped, each is reported.
    if packages is None or all("skip_reason" in one for one in packages):
        return (0 if offline_allowed else 1), [UNREACHED]
    unknown = [f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    known = [
        f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in {vulnerability['fix_versions']}"
        for one in packages
        for vulnerability in one.get("vulns", ())
    ]
    if unknown or known:
        return 1, [*known, *unknown]
    return 0, [f"no known vulnerability in {len(packages)} packages"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.audit")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--offline-allowed", action="store_true")
    given = parser.parse_args()
    status, lines = verdict(audited(given.lock), offline_allowed=given.offline_allowed)
    print("\n".join(lines))
    sys.exit(status)
