"""A release is the version, its files and its tag, or nothing.

Red when one of the refusals is dropped, when a file keeps the old version, when the files are not those of the
tagged commit, and when a failed build leaves a commit.
"""

import hashlib
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from cloning import cloned, git

from tools import release as releases
from tools import wheel
from tools.release import Refused, check, main, release

TODAY: Final = date(2027, 1, 31)
NEXT: Final = "7.8.9"
sbom = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import cyclonedx"], capture_output=True, check=False).returncode != 0,
    reason="SBOM needs `make sbom` to have run once",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = cloned(tmp_path / "clone")
    changelog = folder / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    changelog.write_text(
        text.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- One thing.\n"), "utf-8"
    )
    git(folder, "commit", "--quiet", "--all", "--message", "one thing")
    return folder


@sbom
def test_a_release_is_a_commit_with_a_tag_and_its_files(clone: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    folder = release(clone, NEXT, today=TODAY)
    assert git(clone, "rev-parse", f"v{NEXT}^{{commit}}~1") == before
    assert git(clone, "cat-file", "-t", f"v{NEXT}").strip() == "tag"
    assert git(clone, "status", "--porcelain") == ""
    assert version_of(clone) == NEXT
    assert sorted(file.name for file in folder.iterdir()) == [
        "SHA256SUMS",
        "requirements.lock",
        f"scanbind-{NEXT}-py3-none-any.whl",
        f"scanbind-{NEXT}.cdx.json",
    ]
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines())
    assert sums == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "SHA256SUMS"
    }
    again = git(clone, "rev-parse", "--show-toplevel").strip() + "-again"
    git(clone, "clone", "--quiet", "--branch", f"v{NEXT}", str(clone), again)
    rebuilt = wheel.build(Path(again), Path(again, "dist"))
    assert sums[rebuilt.name] == hashlib.sha256(rebuilt.read_bytes()).hexdigest()


def version_of(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def test_the_version_is_written_everywhere_and_the_changelog_begins_anew(clone: Path) -> None:
    old = version_of(clone)
    releases.write_version(clone, NEXT, today=TODAY)
    headings = re.findall(r"^## (.+)$", (clone / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[:2] == ["[Unreleased]", f"[{NEXT}] - 2027-01-31"]
    changed = git(clone, "diff", "--name-only").split()
    assert {"pyproject.toml", "CHANGELOG.md"} < set(changed)
    images = git(clone, "grep", "--no-index", "-hoE", r"/scanbind:[0-9.]+", "--", "deploy").split()
    assert set(images) == {f"/scanbind:{NEXT}"}
    assert old != NEXT


@pytest.mark.parametrize("version", ["1.2", "v7.8.9", "7.8.9rc1", "07.8.9", "", "7.8.9\n"], ids=repr)
def test_what_is_no_version_is_refused(clone: Path, version: str) -> None:
    with pytest.raises(Refused, match="is not a version"):
        check(clone, version)


def test_changes_that_are_not_committed_are_refused(clone: Path) -> None:
    (clone / "service" / "new.py").touch()
    with pytest.raises(Refused, match="working tree"):
        check(clone, NEXT)


@pytest.mark.parametrize("tag", [f"v{NEXT}", "v8.0.0"], ids=["same", "later"])
def test_a_version_that_is_not_above_each_tag_is_refused(clone: Path, tag: str) -> None:
    git(clone, "tag", tag)
    with pytest.raises(Refused, match=f"is not above {tag[1:]}"):
        check(clone, NEXT)


def test_the_version_of_the_sources_is_refused(clone: Path) -> None:
    with pytest.raises(Refused, match="is not above"):
        check(clone, version_of(clone))


def test_a_release_without_changes_is_refused(clone: Path) -> None:
    changelog = clone / "CHANGELOG.md"
    before, heading, after = changelog.read_text("utf-8").partition("## [Unreleased]\n")
    changelog.write_text(f"{before}{heading}\n## [{after.partition('## [')[2]}", "utf-8")
    git(clone, "commit", "--quiet", "--all", "--message", "nothing")
    with pytest.raises(Refused, match="nothing under"):
        check(clone, NEXT)


def test_a_failed_build_leaves_neither_commit_nor_tag(clone: Path) -> None:
    """Red when the commit is not taken back: the lock that the wheel needs is missing."""
    git(clone, "rm", "--quiet", "requirements.lock")
    git(clone, "commit", "--quiet", "--message", "no lock")
    before = git(clone, "rev-parse", "HEAD")
    with pytest.raises(FileNotFoundError):
        release(clone, NEXT, today=TODAY)
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "tag", "--list", f"v{NEXT}") == git(clone, "status", "--porcelain") == ""


@sbom
def test_a_tag_that_cannot_be_signed_leaves_no_commit(clone: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    git(clone, "config", "tag.gpgSign", "true")
    git(clone, "config", "gpg.program", "false")
    with pytest.raises(subprocess.CalledProcessError):
        release(clone, NEXT, today=TODAY)
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "status", "--porcelain") == ""


def test_a_file_without_the_version_is_refused_and_nothing_stays_changed(clone: Path) -> None:
    manifest = clone / "deploy" / "kubernetes" / "migrate.yaml"
    manifest.write_text(re.sub(r"/scanbind:\S+", "/scanbind", manifest.read_text("utf-8")), "utf-8")
    git(clone, "commit", "--quiet", "--all", "--message", "no version")
    with pytest.raises(Refused, match=r"migrate\.yaml has the version in 0 places"):
        release(clone, NEXT, today=TODAY)
    assert git(clone, "status", "--porcelain") == ""
    assert version_of(clone) != NEXT


def test_a_refusal_is_one_line_and_status_1(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(clone)
    assert main("") == 1
    assert capsys.readouterr().err == "not released: VERSION= is not a version: write it as VERSION=1.2.3\n"
