"""Builds the wheel, byte for byte the same from the same files, and a lock that pins it and its dependencies.

`python -m tools.wheel FOLDER`, in the root of the sources: the files that git tracks or, without git, all, as in
an image. A wheel contains times and modes of files, so both are set here: SOURCE_DATE_EPOCH, the time of the last
commit or the first time that ZIP knows, and the modes of umask 022.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

LOCK: Final = "requirements.lock"
_ZIP_EPOCH: Final = "315532800"
"""1980-01-01, in Unix time."""
_BUILD: Final = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
_NOT_SOURCES: Final = {".git", ".venv", "build", "dist", "var", "__pycache__"}


def build(root: Path, folder: Path) -> Path:
    """Build the wheel of the sources at *root* into *folder*, with the lock beside it; return the wheel's path."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made:
        copied, built = Path(made, "sources"), Path(made, "wheel")
        _copy(root, copied, sources(root))
        subprocess.run(
            [sys.executable, "-I", "-c", _BUILD, built],
            cwd=copied,
            env={**os.environ, "SOURCE_DATE_EPOCH": _epoch(root)},
            umask=0o022,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        [wheel] = built.iterdir()
        made_wheel = Path(shutil.copyfile(wheel, folder / wheel.name))
    (folder / LOCK).write_text((root / LOCK).read_text("utf-8") + pin(made_wheel), "utf-8")
    return made_wheel


def pin(wheel: Path) -> str:
    """Return a requirement that installs *wheel*, in the current folder, if its hash is right."""
    return f"./{wheel.name} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def sources(root: Path) -> list[Path]:
    """Return the files of the project, relative to *root*, in a fixed order."""
    if (root / ".git").exists():
        return sorted(Path(name) for name in _git(root, "ls-files", "-z").split("\0") if name)
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if not _NOT_SOURCES & set(path.parts))


def _copy(root: Path, folder: Path, files: Iterable[Path]) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
        (folder / file).chmod(0o644)


def _epoch(root: Path) -> str:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    return _git(root, "log", "-1", "--format=%ct").strip() if (root / ".git").exists() else _ZIP_EPOCH


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(build(Path(), Path(sys.argv[1])))
