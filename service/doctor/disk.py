"""Checks the folder of `data_dir`: free space, and who else may read it."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.config.data_folder import LEAST_FREE
from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.doctor.finding import Finding

_MIB: Final = 1024 * 1024
_LITTLE: Final = 1024 * _MIB
_SMALL_SHARE: Final = 0.1
_FEW_FILES: Final = 1000
_SUBJECT: Final = "data_dir"


@dataclass(frozen=True, slots=True)
class Space:
    """What a file system has for a process that is not root: bytes, and files that it can still create."""

    total: int
    free: int
    files: int | None
    """None where the file system has no limit."""

    @classmethod
    def of(cls, folder: Path) -> "Space":
        found = os.statvfs(folder)
        size = found.f_frsize
        return cls(found.f_blocks * size, found.f_bavail * size, found.f_favail if found.f_files else None)


async def check_disk(settings: Settings) -> AsyncIterator[Finding]:
    """Check the folder if a store or the secret key is in it."""
    if EMBEDDED not in (settings.database.url, settings.redis.url) and settings.secret_key:
        return
    folder = settings.data_dir.absolute()
    if folder.exists():
        for finding in (*space_findings(Space.of(folder)), *_readable(folder)):
            yield finding


def space_findings(space: Space) -> Iterator[Finding]:
    """Yield what is found about the free space."""
    left = f"{space.free // _MIB:,} MiB are free"
    if space.free < LEAST_FREE:
        message = f"only {left}; when it is full, nothing can be written"
        yield Finding(False, _SUBJECT, message, "make room, or move data_dir to a larger disk")
    elif space.free < min(_LITTLE, _SMALL_SHARE * space.total):
        message = f"its disk is nearly full: {left} of {space.total // _MIB:,}"
        yield Finding(None, _SUBJECT, message, "make room, before nothing can be written")
    elif space.files is not None and space.files < _FEW_FILES:
        message = f"its file system can hold only {space.files} more files (inodes)"
        yield Finding(None, _SUBJECT, message, "delete files that are not needed: see df -i")
    else:
        yield Finding(True, _SUBJECT, left)


def _readable(folder: Path) -> Iterator[Finding]:
    """Yield the folder if other users may enter it, and each file of the database that they may read."""
    if folder.stat().st_mode & 0o007:
        yield Finding(None, _SUBJECT, "other users may enter the folder", f"run `chmod o-rwx {folder}`")
    for file in sorted(folder.glob("scanbind.sqlite3*")):
        if file.stat().st_mode & 0o077:
            yield Finding(None, _SUBJECT, f"other users may read {file.name}", f"run `chmod 600 {file}`")
