"""Database servers that hang: their processes are stopped."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.database import Database


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Stop these processes for as long as the context lasts."""
    stopped = []
    try:
        for pid in pids:
            with suppress(ProcessLookupError):  # one that has just ended
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def postgresql_pids(database: Database) -> list[int]:
    """Return the processes of a PostgreSQL on this machine: the postmaster, then all that it has started."""
    async with database.reading() as connection:
        folder = await connection.scalar(sa.text("SHOW data_directory"))
    try:
        postmaster = int((Path(str(folder)) / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    except FileNotFoundError:
        pytest.skip("No PostgreSQL of this machine's own, or no /proc to find its processes in")
    return [postmaster, *map(int, children.split())]


def valkey_pid(data_dir: Path) -> int:
    """Return the process of the embedded Valkey in *data_dir*."""
    return int((data_dir / "valkey" / "valkey.pid").read_text())
