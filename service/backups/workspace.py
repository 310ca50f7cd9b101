"""A private folder in data_dir for the time of one backup or restore, on the file system of the stores."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.backups.manifest import BackupError
from service.concurrency import file_lock
from service.config import data_folder
from service.config.settings import ConfigError, Settings
from service.config.types import EMBEDDED

_FOLDER: Final = ".backup"


def check_embedded(settings: Settings) -> None:
    """Raise ConfigError if the database is not embedded."""
    if settings.database.url != EMBEDDED:
        raise ConfigError(
            ["database.url: is not embedded: back up and restore your own database as docs/backup.md says"]
        )


@contextmanager
def workspace(settings: Settings) -> Iterator[Path]:
    """Yield an empty folder in data_dir, and delete it afterwards; what a killed command left is deleted first.

    Raises:
        ConfigError: data_dir cannot be written.
        BackupError: another command uses the folder.
    """
    folder = settings.data_dir.absolute() / _FOLDER
    with data_folder.writing():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    with file_lock.opened(folder, file_lock.FOLDER) as descriptor:
        if not file_lock.try_lock(descriptor):
            raise BackupError(f"another backup or restore of {settings.data_dir} is running")
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
