"""The control sockets of running processes: one each, in `data_dir/control`, for the service's own user alone.

A process listens before its socket gets its name, so that a socket which refuses connections is one that a killed
process left.
"""

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.config import data_folder

_ENDING: Final = ".sock"
_MOST_WAITING: Final = 16


def control_folder(data_dir: Path) -> Path:
    """Return the folder of the sockets. Raises ConfigError: it cannot be created."""
    folder = data_folder.private(data_dir, "control")
    return data_folder.for_sockets(folder, longest=len(_hidden(_fresh_name())))


def control_sockets(data_dir: Path) -> list[Path]:
    """Return the sockets of all processes that use *data_dir*, those of killed processes included."""
    if not (data_dir / "control").is_dir():
        return []
    return sorted(path for path in control_folder(data_dir).glob(f"*{_ENDING}") if not path.name.startswith("."))


@contextmanager
def control_socket(data_dir: Path) -> Iterator[socket.socket]:
    """Listen on a new socket in *data_dir* until the context ends.

    Raises:
        ConfigError: the folder cannot be created.
        OSError: the socket cannot be created there.
    """
    folder, name = control_folder(data_dir), _fresh_name()
    path, hidden = folder / name, folder / _hidden(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(os.fspath(hidden))
            hidden.chmod(0o600)  # the folder is private already
            listener.listen(_MOST_WAITING)
            hidden.rename(path)
            yield listener
        finally:
            for left in (hidden, path):
                forget(left)


def forget(path: Path) -> None:
    """Remove a socket, if it is there."""
    with contextlib.suppress(OSError):
        path.unlink()


def _fresh_name() -> str:
    return secrets.token_hex(4) + _ENDING


def _hidden(name: str) -> str:
    return f".{name}"
