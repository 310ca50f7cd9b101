"""Red when `verify` accepts a backup that cannot be used with this version and configuration, or changes one."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backup_files import backup_of, damage, filled, settings_in

from service.backups.manifest import BackupError, Manifest
from service.backups.verification import extract, verify
from service.config.settings import Settings
from service.crypto.field_encryption import FieldCipher

KEY = "an encryption key of the tests without a comma"


async def verified(file: Path, settings: Settings | None = None) -> Manifest:
    with file.open("rb") as source:
        return await verify(source, settings)


async def test_a_backup_is_good_and_stays_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path / "var", "o1")
    file = backup_of(tmp_path / "var", tmp_path / "backup.tar")
    before = file.read_bytes()
    assert (await verified(file, settings_in(tmp_path / "other"))).schema == "0011"
    assert file.read_bytes() == before
    assert not (tmp_path / "other").exists()


async def test_the_keys_of_its_rows_must_be_configured(tmp_path: Path) -> None:
    filled(tmp_path / "var", "o1", sealed_by=FieldCipher.of([KEY]).newest)
    file = backup_of(tmp_path / "var", tmp_path / "backup.tar")
    await verified(file)
    await verified(file, settings_in(tmp_path / "var", encryption={"keys": [KEY]}))
    with pytest.raises(BackupError, match=r"encryption\.keys: the database has rows encrypted with a key"):
        await verified(file, settings_in(tmp_path / "var"))


async def test_a_damaged_database_with_the_right_hash_is_found(tmp_path: Path) -> None:
    damage(filled(tmp_path / "var", "o1"))
    file = backup_of(tmp_path / "var", tmp_path / "backup.tar")
    with pytest.raises(BackupError, match="the database is damaged"):
        await verified(file)


async def test_a_folder_without_space_is_named(tmp_path: Path) -> None:
    filled(tmp_path / "var")
    file = backup_of(tmp_path / "var", tmp_path / "backup.tar")
    with (
        file.open("rb") as source,
        limited_to(1 << 16),
        pytest.raises(BackupError, match=rf"to {tmp_path}: File too"),
    ):
        extract(source, tmp_path)


@contextmanager
def limited_to(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size*, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
