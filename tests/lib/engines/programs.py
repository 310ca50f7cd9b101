"""Programs of the machine: found, started, and ended in every case."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
_STARTS_WITHIN: Final = 120.0
_ENDS_WITHIN: Final = 15.0


def missing(*programs: str) -> str:
    """Return why tests that need *programs* cannot run here, or nothing if they can."""
    absent = [name for name in programs if not shutil.which(name)]
    return f"needs {' and '.join(absent)}, missing on this machine" if absent else ""


class Program:
    """A process with a folder of its own, which is its home as well."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    def has_written(self, file: Path) -> str:
        """Wait for a file that the program writes when it has started, and return what is in it."""

        def written() -> str:
            text = file.read_text() if file.exists() else ""
            return text if text.endswith(("}", "\n")) else ""  # and not just the first half of it

        return self._until(written)

    def listens(self, port: int) -> None:
        """Wait until the program takes connections at *port*."""
        with socket.socket() as attempt:
            self._until(lambda: attempt.connect_ex(("127.0.0.1", port)) == 0)

    def _until(self, condition: Callable[[], T]) -> T:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            if met := condition():
                return met
            time.sleep(0.02)
        raise AssertionError(f"{self.process.args!r} has not started: {self._log.read_text(errors='replace')}")


@contextmanager
def program(*command: str, folder: Path, passing: Sequence[int] = (), **variables: str) -> Iterator[Program]:
    """Run *command* in *folder*, with little of the environment: no proxy, no settings of the user."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "en_US.UTF-8", **variables}
    path = folder / f"{Path(command[0]).name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, pass_fds=passing, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield Program(process, path)
        finally:
            process.terminate()
            try:
                process.wait(timeout=_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
