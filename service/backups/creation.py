"""Use case: back up the embedded database, whether or not the service is running."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from models.timestamps import rfc3339
from service.backups import archive, snapshot
from service.backups.manifest import BackupError, Manifest
from service.backups.workspace import check_embedded, workspace
from service.config.settings import Settings
from service.storage import sqlite


def back_up(settings: Settings, target: Path | None, *, now: datetime, force: bool = False) -> Manifest:
    """Write a backup to *target*, or to standard output; replace an existing file only with *force*.

    Raises:
        ConfigError: the database is not embedded, or data_dir cannot be written.
        BackupError: there is no database, *target* exists or cannot be written, or another backup is running.
    """
    source = settings.data_dir / sqlite.FILE
    check_embedded(settings)
    if not source.exists():
        raise BackupError(f"{source} does not exist: there is nothing to back up")
    with workspace(settings) as folder:
        if target:
            _check_target(target, source=source, folder=folder, force=force)
        copy = folder / archive.DATABASE
        snapshot.take(source, copy)
        manifest = _describe(copy, now=now)
        with _output(target) as output:
            archive.write(output, manifest, copy)
    return manifest


def _check_target(target: Path, *, source: Path, folder: Path, force: bool) -> None:
    """Raise BackupError if a backup of *source*, made in *folder*, must not be written to *target*."""
    if target.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{target} would be deleted with {folder}: choose another folder")
    if not os.path.lexists(target):
        return
    if not force:
        raise BackupError(f"{target} exists: choose another name, or replace it with --force")
    if not target.is_file():
        raise BackupError(f"{target} exists and is no file: choose another name, or - for standard output")
    if target.samefile(source):
        raise BackupError(f"{target} is the database itself: choose another name")


def _describe(copy: Path, *, now: datetime) -> Manifest:
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Manifest(
        scanbind=version("scanbind"),
        schema=snapshot.revision(copy),
        created_at=rfc3339(now),
        size=copy.stat().st_size,
        sha256=digest,
    )


@contextmanager
def _output(target: Path | None) -> Iterator[BinaryIO]:
    """Yield a file that becomes *target*, complete and synced to disk, or not at all."""
    if target is None:
        yield sys.stdout.buffer
        return
    draft = None
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".scanbind-backup-")  # 0600
        draft = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        if draft:
            draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Write the names in *folder* to disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
