"""Use case: put the database of a backup in place of the embedded one, while no scanbind uses data_dir.

Nothing that was signed or asked before a restore is valid after it. The order keeps that true wherever the command
is killed: the secret key and the data of the embedded Valkey go first, then one rename exchanges the databases.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from service.backups import archive
from service.backups.creation import sync_folder
from service.backups.manifest import BackupError, Manifest
from service.backups.verification import check_use, extract
from service.backups.workspace import check_embedded, workspace
from service.config.settings import Settings
from service.config.types import EMBEDDED
from service.crypto import secret_key_file
from service.storage import embedded_valkey, sqlite

_JOURNALS: Final = ("-wal", "-shm", "-journal")
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and where the database is that was there before, if there was one."""

    manifest: Manifest
    kept: Path | None


async def restore(settings: Settings, source: BinaryIO, *, now: datetime, force: bool = False) -> Restored:
    """Verify a backup, migrate its database to this version and put it in place; keep a present one with *force*.

    If it raises, or is killed, data_dir has the database that it had, or the restored one.

    Raises:
        ConfigError: the database is not embedded, another scanbind uses data_dir, or it cannot be written.
        BackupError: the backup is not valid, or there is a database and no *force*.
        StoreUnavailable: a Valkey that an earlier scanbind left running does not stop.
    """
    check_embedded(settings)
    place = settings.data_dir / sqlite.FILE
    with workspace(settings) as folder, ExitStack() as stack:
        _refuse_another_users_folder(settings.data_dir)
        async with _without_service(settings) as redis:
            present = place.exists() and place.stat().st_size > 0
            if present and not force:
                raise BackupError(f"{place} exists: with --force it is kept under another name")
            manifest = extract(source, folder)
            await check_use(settings, folder)
            if present:
                stack.enter_context(_exclusive(place))
            _invalidate(settings, redis, folder)
            kept = _set_aside(place, now) if present else None
            _put(folder / archive.DATABASE, place)
            return Restored(manifest, kept)


@asynccontextmanager
async def _without_service(settings: Settings) -> AsyncIterator[Path | None]:
    """Keep the service from starting; yield the folder of the embedded Valkey's data. Raises: as `stopped`."""
    if settings.redis.url != EMBEDDED:
        yield None
        return
    async with embedded_valkey.stopped(settings.data_dir) as folder:
        yield folder


def _refuse_another_users_folder(data_dir: Path) -> None:
    """Raise BackupError for root in the folder of another user, who could not open root's files."""
    owner = data_dir.stat().st_uid
    if os.geteuid() == 0 and owner:
        raise BackupError(f"{data_dir} belongs to the user with id {owner}: run this command as that user")


@contextmanager
def _exclusive(place: Path) -> Iterator[None]:
    """Write the journal of the database *place* into its file, and keep every other process from opening it.

    A damaged database has no exclusive lock; its journals are left. Raises BackupError.
    """
    address = f"{place.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=0)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")  # fails while another connection is open
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            code = error.sqlite_errorcode & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BackupError(f"another process is using {place}: stop it") from error
            if code not in _DAMAGED:
                raise BackupError(f"{place}: {error}") from error
        yield


def _invalidate(settings: Settings, redis: Path | None, folder: Path) -> None:
    """Make everything invalid that was signed or asked before."""
    secret_key_file.discard(settings)
    if redis and redis.exists():
        redis.rename(folder / redis.name)  # at once: a Valkey with a part of its files does not start
        sync_folder(redis.parent)
    sync_folder(settings.data_dir)


def _set_aside(place: Path, now: datetime) -> Path:
    """Give the database *place* a second name, and its journals, if it is damaged, only that name."""
    kept = place.with_name(f"{place.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    os.link(place, kept)
    for suffix in _JOURNALS:
        if (journal := Path(f"{place}{suffix}")).exists():
            journal.rename(f"{kept}{suffix}")
    sync_folder(place.parent)
    return kept


def _put(file: Path, place: Path) -> None:
    """Sync *file* to disk, and give it the name *place*."""
    with _exclusive(file):  # which writes the journal, if the migration left one, into the file
        pass
    with file.open("rb") as content:
        os.fsync(content.fileno())
    file.chmod(0o600)
    file.replace(place)
    sync_folder(place.parent)
