"""Writes the files of a new configuration: all or none, for their owner alone, and over no other file."""

import os
from collections.abc import Mapping
from pathlib import Path


def write_new(files: Mapping[Path, str]) -> None:
    """Create *files* in their order, with mode 0600, in folders of mode 0700.

    Raises OSError, FileExistsError among them, and leaves nothing behind then.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            for folder in reversed([one for one in path.parents if not one.exists()]):
                folder.mkdir(mode=0o700)
                made.append(folder)
            _create(path, text, made)
    except BaseException:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        raise


def _create(path: Path, text: str, made: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    made.append(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
