"""Use case: verify a backup without restoring it."""

import tempfile
from pathlib import Path
from typing import BinaryIO

from models.errors import StoreUnavailable
from service.backups import archive, snapshot
from service.backups.manifest import BackupError, Manifest
from service.config.settings import ConfigError, Settings
from service.config.types import EMBEDDED
from service.identities.reencryption import check_usable
from service.storage import database


async def verify(source: BinaryIO, settings: Settings | None) -> Manifest:
    """Check a backup: its structure, hash, database and schema revision, and the keys that *settings* have.

    Raises:
        BackupError: it is not valid or cannot be read, or the folder for temporary files has no space for it.
    """
    with tempfile.TemporaryDirectory(prefix="scanbind-verify-") as folder:
        manifest = extract(source, Path(folder))
        if settings:
            await check_use(settings, Path(folder))
    return manifest


def extract(source: BinaryIO, folder: Path) -> Manifest:
    """Check a backup, and write its database to *folder*. Raises BackupError."""
    file = folder / archive.DATABASE
    try:
        manifest = archive.read(source, file)
    except OSError as error:
        raise BackupError(
            f"it cannot be read, or its database not be written to {folder}: {error.strerror}"
        ) from error
    snapshot.check(file)
    return manifest


async def check_use(settings: Settings, folder: Path) -> None:
    """Migrate the database in *folder* to this version, and check that `encryption.keys` has the keys of its rows.

    Raises BackupError.
    """
    try:
        with database.naming_the_setting():
            async with database.connect(EMBEDDED, data_dir=folder, patient=True) as opened:
                await check_usable(settings, opened)
    except ConfigError as error:
        raise BackupError(*error.faults) from error
    except StoreUnavailable as error:
        raise BackupError(str(error)) from error
