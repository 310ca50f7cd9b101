"""Red when a restore loses a database, changes one in use, or leaves valid what was signed before it."""

import io
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from backup_files import NOW, backup_of, filled, openids, settings_in

import migrations
from service.backups import restoring, snapshot
from service.backups.manifest import BackupError
from service.backups.restoring import Restored
from service.config.settings import ConfigError
from service.crypto.field_encryption import FieldCipher
from service.storage import embedded_valkey

KEY = "an encryption key of the tests without a comma"
KEPT = "scanbind.sqlite3.before-restore-20261120T120000Z"


@dataclass(frozen=True)
class Place:
    """A data_dir, and a backup of another one."""

    data_dir: Path
    backup: Path

    @property
    def database(self) -> Path:
        return self.data_dir / "scanbind.sqlite3"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.data_dir.iterdir())

    async def restore(self, *, force: bool = False, **changes: object) -> Restored:
        with self.backup.open("rb") as source:
            return await restoring.restore(settings_in(self.data_dir, **changes), source, now=NOW, force=force)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    filled(tmp_path / "source", "o1", "o2")
    return Place(tmp_path / "var", backup_of(tmp_path / "source", tmp_path / "backup.tar"))


async def test_an_empty_folder_gets_the_database(place: Place) -> None:
    restored = await place.restore()
    assert (restored.kept, restored.manifest.schema) == (None, "0011")
    assert openids(place.database) == ["o1", "o2"]
    assert place.names() == ["scanbind.sqlite3", "valkey"]
    assert stat.S_IMODE(place.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.database.stat().st_mode) == 0o600


async def test_the_database_of_an_older_version_is_migrated(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/source/scanbind.sqlite3")
    with engine.begin() as connection:
        command.upgrade(migrations.config(connection), "0002")
    engine.dispose()
    place = Place(tmp_path / "var", backup_of(tmp_path / "source", tmp_path / "backup.tar"))
    restored = await place.restore()
    assert (restored.manifest.schema, snapshot.revision(place.database)) == ("0002", migrations.head())


async def test_a_present_database_is_replaced_only_with_force_and_kept(place: Place) -> None:
    filled(place.data_dir, "o9")
    with pytest.raises(BackupError, match=r"scanbind\.sqlite3 exists: with --force it is kept under another name"):
        await place.restore()
    assert openids(place.database) == ["o9"]
    restored = await place.restore(force=True)
    assert openids(place.database) == ["o1", "o2"]
    assert restored.kept == place.data_dir / KEPT
    assert openids(restored.kept) == ["o9"]


async def test_the_kept_database_has_what_stood_in_its_journal(place: Place) -> None:
    file = filled(place.data_dir, "o8")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE followers SET openid='o9'")
        connection.commit()
        journal, content = file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-wal").read_bytes()
        whole = file.read_bytes()
    file.write_bytes(whole)  # as a killed service leaves it
    journal.write_bytes(content)
    await place.restore(force=True)
    assert openids(place.data_dir / KEPT) == ["o9"]
    assert openids(place.database) == ["o1", "o2"]
    assert place.names() == ["scanbind.sqlite3", KEPT, "valkey"]


async def test_a_damaged_database_is_kept_with_its_journal(place: Place) -> None:
    place.data_dir.mkdir()
    place.database.write_bytes(b"x" * 8192)
    (place.data_dir / "scanbind.sqlite3-wal").write_bytes(b"y" * 100)
    await place.restore(force=True)
    assert openids(place.database) == ["o1", "o2"]
    assert (place.data_dir / KEPT).read_bytes() == b"x" * 8192
    assert (place.data_dir / f"{KEPT}-wal").read_bytes() == b"y" * 100


async def test_the_secret_key_and_the_data_of_redis_go(place: Place) -> None:
    filled(place.data_dir, "o9")
    (place.data_dir / "secret_key").write_text("k" * 40)
    (place.data_dir / "valkey" / "appendonlydir").mkdir(parents=True)
    (place.data_dir / "valkey" / "appendonlydir" / "file").touch()
    await place.restore(force=True)
    assert place.names() == ["scanbind.sqlite3", KEPT, "valkey"]
    assert sorted(path.name for path in (place.data_dir / "valkey").iterdir()) == ["service.lock", "valkey.lock"]


async def test_a_configured_key_stays_with_the_operator(place: Place) -> None:
    place.data_dir.mkdir()
    (place.data_dir / "secret_key").write_text("not in use")
    await place.restore(secret_key="k" * 40)
    assert (place.data_dir / "secret_key").exists()


async def test_it_is_refused_while_a_scanbind_uses_the_folder(place: Place) -> None:
    filled(place.data_dir, "o9")
    async with embedded_valkey.valkey(place.data_dir):
        with pytest.raises(ConfigError, match="another scanbind is using"):
            await place.restore(force=True)
    assert openids(place.database) == ["o9"]


async def test_it_is_refused_while_a_process_has_the_database_open(place: Place) -> None:
    file = filled(place.data_dir, "o9")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("SELECT * FROM followers").fetchall()
        with pytest.raises(BackupError, match=r"another process is using .*scanbind\.sqlite3: stop it"):
            await place.restore(force=True, redis={"url": "redis://localhost"}, secret_key="k" * 40)
    assert openids(file) == ["o9"]


async def test_a_broken_backup_changes_nothing(place: Place) -> None:
    filled(place.data_dir, "o9")
    (place.data_dir / "secret_key").write_text("k" * 40)
    before, content = place.database.read_bytes(), place.backup.read_bytes()
    for length in range(0, len(content), len(content) // 8):
        place.backup.write_bytes(content[:length])
        with pytest.raises(BackupError, match="it is truncated"):
            await place.restore(force=True)
    assert place.database.read_bytes() == before
    assert place.names() == ["scanbind.sqlite3", "secret_key", "valkey"]


async def test_a_backup_whose_key_is_not_configured_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path / "source", "o1", sealed_by=FieldCipher.of([KEY]).newest)
    place = Place(tmp_path / "var", backup_of(tmp_path / "source", tmp_path / "backup.tar"))
    with pytest.raises(BackupError, match=r"encryption\.keys: the database has rows encrypted with a key"):
        await place.restore()
    assert not place.database.exists()
    await place.restore(encryption={"keys": [KEY]})


async def test_a_folder_of_another_user_is_not_filled_by_root(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.data_dir.mkdir()
    found = place.data_dir.stat()
    owned = type("Stat", (), {"st_uid": 1234, "st_mode": found.st_mode})()
    monkeypatch.setattr(restoring.os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: owned)
    with pytest.raises(BackupError, match="belongs to the user with id 1234: run this command as that user"):
        restoring._refuse_another_users_folder(place.data_dir)


async def test_nothing_is_restored_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="it is truncated"):
        await restoring.restore(settings_in(tmp_path), io.BytesIO(), now=NOW)
