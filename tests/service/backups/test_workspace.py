"""Red when two commands use one folder, or when the rest of a killed command stays or is used."""

import stat
from pathlib import Path

import pytest
from backup_files import settings_in

from service.backups.manifest import BackupError
from service.backups.workspace import workspace


def test_the_folder_is_private_and_goes_at_the_end(tmp_path: Path) -> None:
    with workspace(settings_in(tmp_path / "var")) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").touch()
    assert list((tmp_path / "var").iterdir()) == []


def test_a_second_command_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with workspace(settings) as folder:
        (folder / "file").touch()
        with pytest.raises(BackupError, match="another backup or restore of"), workspace(settings):
            pass
        assert (folder / "file").exists()


def test_what_a_killed_command_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / ".backup" / "folder").mkdir(parents=True)
    (tmp_path / ".backup" / "scanbind.sqlite3").touch()
    with workspace(settings_in(tmp_path)) as folder:
        assert list(folder.iterdir()) == []
