"""The files of a configuration are written for their owner alone, all or none, and over no other file."""

from pathlib import Path

import pytest

from service.setup.writing import write_new


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Red when the mode is left to the umask."""
    write_new({tmp_path / "secrets" / "one": "1\n", tmp_path / "config.yaml": "示例\n"})
    assert (tmp_path / "config.yaml").read_text("utf-8") == "示例\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"secrets": 0o700, "one": 0o600, "config.yaml": 0o600}


@pytest.mark.parametrize("taken", ["secrets/one", "config.yaml"])
def test_a_file_that_exists_is_kept_and_nothing_is_left_behind(taken: str, tmp_path: Path) -> None:
    """Red when a file is overwritten, and when those before it remain."""
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("old")
    before = everything(tmp_path)
    with pytest.raises(FileExistsError):
        write_new(
            {tmp_path / "secrets" / "zero": "0", tmp_path / "secrets" / "one": "1", tmp_path / "config.yaml": ""}
        )
    assert everything(tmp_path) == before
    assert (tmp_path / taken).read_text() == "old"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new({tmp_path / "config.yaml": ""})
    assert everything(tmp_path) == {"config.yaml"}
