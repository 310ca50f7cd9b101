"""A measured process: its processor time, its memory, and when its work is done."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CLOCK: Final = 0b010
"""The kind of a process's clock (user and system time of all its threads), as in clock_getcpuclockid(3)."""
_QUIET, _IDLE, _PATIENCE = 0.4, 0.003, 75
"""Idle is at most 3 ms of processor time in 0.4 s, awaited at most 75 times."""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a loopback port."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Return the processor time of the process without its children, user and system, in seconds.

        The same as in /proc/PID/stat, but in nanoseconds instead of hundredths of a second.
        """
        return time.clock_gettime(~self.pid << 3 | _CLOCK)

    async def settled(self) -> float:
        """Wait until the process is idle, as its work goes on after the last response; return `cpu`."""
        used = self.cpu()
        for _ in range(_PATIENCE):
            await asyncio.sleep(_QUIET)
            before, used = used, self.cpu()
            if used - before <= _IDLE:
                break
        return used

    def memory(self) -> int:
        """Return the bytes of memory of the process and its children; shared pages are counted once (PSS)."""
        return sum(_pss(pid) for pid in _family(self.pid))


def kernel_memory() -> int:
    """Return the bytes of the machine's kernel structures and TCP buffers.

    From SUnreclaim in /proc/meminfo and the TCP memory in /proc/net/sockstat.
    """
    structures = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if "SUnreclaim" in line
    )
    sockets = Path("/proc/net/sockstat").read_text().splitlines()
    pages = next(int(line.split()[-1]) for line in sockets if line.startswith("TCP:"))
    return structures * 1024 + pages * 4096


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
