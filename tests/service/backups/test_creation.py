"""Red when a backup replaces a file unasked, is left incomplete, or is readable by other users."""

import errno
import io
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from backup_files import NOW, backup_of, filled, openids, settings_in

from service.backups import archive
from service.backups.creation import back_up
from service.backups.manifest import BackupError
from service.config.settings import ConfigError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_one_private_file_with_the_database(tmp_path: Path) -> None:
    filled(tmp_path / "var", "o1", "o2")
    target = backup_of(tmp_path / "var", tmp_path / "backup.tar")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with target.open("rb") as source:
        manifest = archive.read(source, tmp_path / "copy")
    assert openids(tmp_path / "copy") == ["o1", "o2"]
    assert (manifest.schema, manifest.created_at) == ("0011", "2026-11-20T12:00:00Z")
    assert names(tmp_path) == ["backup.tar", "copy", "var"]
    assert names(tmp_path / "var") == ["scanbind.sqlite3"]


def test_the_same_data_makes_the_same_file(tmp_path: Path) -> None:
    filled(tmp_path / "var", "o1")
    first, second = (backup_of(tmp_path / "var", tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_an_existing_file_is_replaced_only_with_force(tmp_path: Path) -> None:
    filled(tmp_path / "var")
    (target := tmp_path / "backup.tar").write_bytes(b"precious")
    with pytest.raises(BackupError, match=r"exists: choose another name, or replace it with --force"):
        backup_of(tmp_path / "var", target)
    assert target.read_bytes() == b"precious"
    back_up(settings_in(tmp_path / "var"), target, now=NOW, force=True)
    assert target.read_bytes() != b"precious"


def test_the_database_itself_is_not_replaced(tmp_path: Path) -> None:
    file = filled(tmp_path / "var", "o1")
    (other := tmp_path / "other").symlink_to(file)
    for target in (file, other):
        with pytest.raises(BackupError, match="is the database itself: choose another name"):
            back_up(settings_in(tmp_path / "var"), target, now=NOW, force=True)
    assert openids(file) == ["o1"]


def test_a_pipe_a_folder_and_a_dangling_link_are_not_replaced(tmp_path: Path) -> None:
    filled(tmp_path / "var")
    pipe, folder, link = (tmp_path / name for name in ("pipe", "folder", "link"))
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    for target in (pipe, folder, link):
        with pytest.raises(BackupError, match="exists: choose another name"):
            backup_of(tmp_path / "var", target)
        with pytest.raises(BackupError, match="exists and is no file: choose another name, or - for standard"):
            back_up(settings_in(tmp_path / "var"), target, now=NOW, force=True)
    assert (pipe.is_fifo(), folder.is_dir(), link.is_symlink()) == (True, True, True)


def test_a_backup_does_not_go_to_the_folder_that_is_deleted_after_it(tmp_path: Path) -> None:
    filled(tmp_path / "var")
    (tmp_path / "link").symlink_to(tmp_path / "var")
    for name in ("var", "link"):
        with pytest.raises(BackupError, match=r"would be deleted with .*\.backup: choose another folder"):
            backup_of(tmp_path / "var", tmp_path / name / ".backup" / "backup.tar")


def test_standard_output_gets_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "var")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=(printed := io.BytesIO())))
    back_up(settings_in(tmp_path / "var"), None, now=NOW)
    assert printed.getvalue() == backup_of(tmp_path / "var", tmp_path / "backup.tar").read_bytes()


def test_a_full_disk_leaves_no_file_and_keeps_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "var")
    (folder := tmp_path / "backups").mkdir()
    (target := folder / "backup.tar").write_bytes(b"earlier")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BackupError, match=r"backup\.tar cannot be written: No space left on device"):
        back_up(settings_in(tmp_path / "var"), target, now=NOW, force=True)
    assert (names(folder), target.read_bytes()) == (["backup.tar"], b"earlier")
    assert names(tmp_path / "var") == ["scanbind.sqlite3"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    filled(tmp_path / "var")
    with pytest.raises(BackupError, match=r"none/backup\.tar cannot be written: No such file or directory"):
        backup_of(tmp_path / "var", tmp_path / "none" / "backup.tar")


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="does not exist: there is nothing to back up"):
        backup_of(tmp_path / "var", tmp_path / "backup.tar")
    assert names(tmp_path) == []


@pytest.mark.parametrize("is_there", [True, False], ids=["beside an embedded one", "alone"])
def test_an_external_database_is_left_to_its_own_tools(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        filled(tmp_path / "var")
    settings = settings_in(tmp_path / "var", database={"url": "postgresql://u@localhost/n"}, secret_key="k" * 40)
    with pytest.raises(ConfigError, match=r"database\.url: is not embedded: .* as docs/backup\.md says"):
        back_up(settings, tmp_path / "backup.tar", now=NOW)
