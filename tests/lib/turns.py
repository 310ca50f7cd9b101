"""Tests that measure time or memory run while no other process of the test run has a test in hand."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """A lock that tests share, in files of *folder*; a test that runs alone has it for itself."""

    def __init__(self, folder: Path) -> None:
        self._gate, self._room = folder / "gate.lock", folder / "room.lock"

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait until a test may run; no test overtakes one that waits at the gate to run alone."""
        with self._room.open("w") as room:
            with self._gate.open("w") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
