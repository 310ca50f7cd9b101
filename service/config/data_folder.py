"""Writes in the folder of `data_dir`, and finds room for sockets there. Says what is wrong with the folder."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.config.settings import ConfigError

LONGEST_SOCKET: Final = 100
"""Maximum length of a socket's path, in bytes; kernels allow 103 to 107."""
LEAST_FREE: Final = 100 * 1024 * 1024
"""Bytes of free disk space, below which the folder counts as full."""


@contextmanager
def writing() -> Iterator[None]:
    """Write in the folder. Raises ConfigError instead of OSError, with the path that failed."""
    try:
        yield
    except FileExistsError as error:  # of a mkdir that accepts folders
        raise ConfigError([f"data_dir: {error.filename} is not a folder"]) from error
    except OSError as error:
        raise ConfigError([f"data_dir: {error.filename} cannot be written: {error.strerror}"]) from error


def private(data_dir: Path, name: str) -> Path:
    """Return a folder in *data_dir*, without links, created if need be, with mode 0700. Raises ConfigError."""
    folder = data_dir.absolute() / name
    with writing():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    return folder.resolve()


def for_sockets(folder: Path, *, longest: int) -> Path:
    """Return *folder*, or a private temporary one if the path of a socket with a name this long would be too long.

    Raises ConfigError: the temporary folder belongs to another user.
    """
    if len(os.fsencode(folder)) + 1 + longest <= LONGEST_SOCKET:
        return folder
    # Derived from the folder, so that other processes find it.
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    temporary = Path(tempfile.gettempdir()) / f"scanbind-{os.getuid()}-{mark}"
    temporary.mkdir(mode=0o700, exist_ok=True)
    found = temporary.lstat()  # other users can write to the parent folder, so check owner and mode
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        fault = f"data_dir: the path is too long for a socket, and {temporary} is not private; shorten the path"
        raise ConfigError([fault])
    return temporary
