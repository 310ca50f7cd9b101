"""Makes a release: version, CHANGELOG, commit, wheel, SBOM, checksums and tag. Pushes nothing.

`python -m tools.release VERSION`, in the root of the sources. It changes nothing if it refuses, and takes its
commit back if a file cannot be built, or the tag not be made.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from tools import wheel

_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_UNRELEASED: Final = "## [Unreleased]\n"
_PYPROJECT: Final = re.compile(r'(?<=^version = ")[^"]+', re.MULTILINE)
_IMAGE: Final = re.compile(r"(?<=/scanbind:)\S+")
_MANIFESTS: Final = ("deploy/kubernetes/deployment.yaml", "deploy/kubernetes/migrate.yaml")


class Refused(Exception):
    """A release that would be wrong. The message says what to do."""


def release(root: Path, version: str, *, today: date) -> Path:
    """Release *version* of the sources at *root*; return the folder of its files. Raises Refused."""
    check(root, version)
    before = _git(root, "rev-parse", "HEAD").strip()
    try:
        write_version(root, version, today=today)
        _git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
        folder = build(root, version)
        _git(root, "tag", "--annotate", f"v{version}", "--message", f"scanbind {version}")
    except BaseException:
        _git(root, "reset", "--quiet", "--hard", before)
        raise
    return folder


def check(root: Path, version: str) -> None:
    """Raise Refused if *version* cannot be released now."""
    [current] = _PYPROJECT.findall((root / "pyproject.toml").read_text("utf-8"))
    if not _VERSION.fullmatch(version):
        raise Refused(f"VERSION={version} is not a version: write it as VERSION=1.2.3")
    if _git(root, "status", "--porcelain"):
        raise Refused("the working tree has changes: commit or remove them")
    released = [current, *(tag[1:] for tag in _git(root, "tag").split() if _VERSION.fullmatch(tag[1:]))]
    if _order(version) <= max(map(_order, released)):
        raise Refused(f"{version} is not above {max(released, key=_order)}")
    if not re.search(r"^- ", _unreleased((root / "CHANGELOG.md").read_text("utf-8")), re.MULTILINE):
        raise Refused("CHANGELOG.md has nothing under [Unreleased]")


def write_version(root: Path, version: str, *, today: date) -> None:
    """Write *version* to each file that names it."""
    _replace(root / "pyproject.toml", _PYPROJECT, version)
    for manifest in _MANIFESTS:
        _replace(root / manifest, _IMAGE, version)
    heading = re.compile(re.escape(_UNRELEASED))
    _replace(root / "CHANGELOG.md", heading, f"{_UNRELEASED}\n## [{version}] - {today}\n")


def build(root: Path, version: str) -> Path:
    """Build the files of the release into an empty `dist`."""
    folder = root / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    wheel.build(root, folder)
    sbom = [sys.executable, "-m", "tools.sbom", wheel.LOCK, str(folder / f"scanbind-{version}.cdx.json")]
    subprocess.run(sbom, cwd=root, check=True)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    return folder


def _unreleased(changelog: str) -> str:
    return changelog.partition(_UNRELEASED)[2].partition("\n## [")[0]


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _replace(file: Path, old: re.Pattern[str], new: str) -> None:
    text, changed = old.subn(new, file.read_text("utf-8"))
    if changed != 1:
        raise Refused(f"{file.name} has the version in {changed} places, not in one")
    file.write_text(text, "utf-8")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", root, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def main(version: str) -> int:
    """Release *version* of the sources in the current folder; return the exit status."""
    try:
        folder = release(Path.cwd(), version, today=datetime.now(UTC).date())
    except Refused as refusal:
        print(f"not released: {refusal}", file=sys.stderr)
        return 1
    print(*sorted(folder.iterdir()), sep="\n")
    print(f"tagged v{version}; publish it with: git push origin HEAD v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
