"""The benches run from their command line and print their figures."""

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "poll": ["--tickets", "5", "--rounds", "1", "--seconds", "0.2"],
    "callback": ["--scans", "5", "--rounds", "1", "--connections", "2"],
}


@pytest.mark.parametrize("name", RUNS)
async def test_a_bench_measures_and_prints(name: str) -> None:
    """Red when `bench.processes` starts a module that is not there."""
    command = [sys.executable, "-m", f"bench.{name}", *RUNS[name]]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(100):
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert "service/bare" in told.decode()
