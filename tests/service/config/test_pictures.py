"""Picture files: PNG or JPEG of at most 1 MiB, told by their content.

Red when a file is believed by its name, when a large one is read to its end, and when a pipe is opened.
"""

import os
from pathlib import Path

import pytest
from config_files import faults, tree

from service.config.settings import validate

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff\xe0"
MIB = 1 << 20


@pytest.mark.parametrize("content", [PNG, JPEG, PNG.ljust(MIB, b"x")])
def test_a_picture_is_told_by_its_first_bytes(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_bytes(content)
    assert validate(tree(accounts__main__picture=str(file))).accounts["main"].picture == content


@pytest.mark.parametrize("content", [b"", b"GIF89a", PNG[:-1], b"<svg/>", b" " + PNG])
def test_another_file_is_refused_whatever_its_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "code.png"
    file.write_bytes(content)
    told = faults(tree(accounts__main__picture=str(file)), folder=tmp_path)
    assert told == ["accounts.main.picture: must be a PNG or JPEG picture"]


def test_a_large_picture_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "code.png"
    file.write_bytes(PNG.ljust(MIB + 1, b"x"))
    told = faults(tree(accounts__main__picture=str(file)), folder=tmp_path)
    assert told == ["accounts.main.picture: is larger than 1 MiB"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "code.png")
    told = faults(tree(accounts__main__picture=str(tmp_path / "code.png")), folder=tmp_path)
    assert told == ["accounts.main.picture: is not a file"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("code\0.png", "must not contain a NUL"),
        ("code.png ", "ends in a space: remove it"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_path_that_cannot_be_one_is_refused(path: str, told: str, tmp_path: Path) -> None:
    assert faults(tree(accounts__main__picture=path), folder=tmp_path) == [f"accounts.main.picture: {told}"]


def test_an_empty_path_is_none() -> None:
    assert validate(tree(accounts__main__picture="")).accounts["main"].picture is None
