"""A bare Debian 12 in a folder, made by debootstrap, where commands run without the packages of this machine."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

HOME: Final = "/home/scanbind"
_SUITE: Final = "bookworm"
_STOPS_WITHIN: Final = 15  # seconds; a stop takes ten at most


@dataclass(slots=True, kw_only=True)
class BareDebian:
    """Commands run as the user scanbind, with no variables but these."""

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str, folder: str = HOME, user: str = "scanbind") -> str:
        """Print and run a command, and return its output. Raises CalledProcessError."""
        print("$", *command, flush=True)
        there = self._there(command, folder, user)
        return subprocess.run(there, env=self._environ, stdout=subprocess.PIPE, text=True, check=True).stdout

    @contextmanager
    def running(self, *command: str, folder: str = HOME) -> Iterator[None]:
        """Run a command while the context lasts. Raises RuntimeError if SIGTERM does not end it well."""
        print("$", *command, "&", flush=True)
        log = self.root / "tmp" / "log"
        with log.open("ab") as output:
            there = self._there(command, folder, "scanbind")
            process = subprocess.Popen(there, env=self._environ, stdout=output, stderr=output)
        try:
            yield
        except BaseException:
            print(log.read_text("utf-8"), file=sys.stderr)
            raise
        finally:
            process.terminate()
            status = process.wait(_STOPS_WITHIN)
        if status:
            raise RuntimeError(f"{' '.join(command)} ended with status {status}")

    def _there(self, command: tuple[str, ...], folder: str, user: str) -> list[str]:
        return ["chroot", f"--userspec={user}:{user}", str(self.root), "env", f"--chdir={folder}", *command]

    @property
    def _environ(self) -> dict[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": HOME, "LANG": "C.UTF-8", **self.variables}


@contextmanager
def bare_debian(cache: Path) -> Iterator[BareDebian]:
    """Give a new system, unpacked from an archive in the folder *cache*, which is made once."""
    archive = cache / f"debian-{_SUITE}.tar"
    cache.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        if not archive.exists():
            _make(archive, Path(folder, "made"))
        root = Path(folder, "system").resolve()
        root.mkdir()
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", root], check=True)
        debian = BareDebian(root=root)
        debian.run("useradd", "--create-home", "scanbind", folder="/", user="root")
        yield debian


def _make(archive: Path, folder: Path) -> None:
    """Make the smallest Debian with Python."""
    options = ["--variant=minbase", "--include=python3-venv", _SUITE]
    subprocess.run(["debootstrap", *options, folder], stdout=subprocess.DEVNULL, check=True)
    half = archive.with_suffix(".part")
    subprocess.run(["tar", "--create", "--file", half, "--directory", folder, "."], check=True)
    half.rename(archive)
