"""The code of the previous release, as processes of their own.

The previous release is the newest tag vX.Y.Z before HEAD; while there is none, the commit PINNED.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PINNED = "2bf9e27a0565e935089ae625de07c1c615175142"
PROGRAM = ("-P", "-m", "service")
"""`-P`: the code of PYTHONPATH, and not that of the working directory."""


@dataclass(frozen=True)
class PreviousRelease:
    """Its tree of files."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    @property
    def how(self) -> dict[str, Any]:
        """What makes `serving` run it."""
        return {"program": PROGRAM, "variables": self.variables}

    def ask(self, expression: str) -> str:
        """Return what an expression of its modules `migrations` and `service` is."""
        code = f"import migrations, service; print({expression})"
        command = (sys.executable, "-P", "-c", code)
        return subprocess.run(
            command, env=self.variables, capture_output=True, text=True, check=True
        ).stdout.strip()


def unpacked(folder: Path) -> PreviousRelease:
    """Unpack it into *folder*; skip the test if the checkout has no history."""
    found = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*.[0-9]*.[0-9]*", "HEAD^")
    commit = found.stdout.decode().strip() or PINNED
    archive = _git("archive", commit)
    if archive.returncode:
        pytest.skip("the history of this checkout does not have the previous release")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    release = PreviousRelease(folder)
    assert release.ask("service.__file__").startswith(str(folder))
    return release


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
