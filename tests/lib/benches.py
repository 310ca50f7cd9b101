"""A bench as its command runs it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]


async def run(name: str, *options: str) -> dict[str, Any]:
    """Return what the last line of a bench says."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", f"bench.{name}", *options],
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(250):
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    line: dict[str, Any] = json.loads(told.decode().splitlines()[-1])
    return line
