"""Does what a guide says, as a person at a machine of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession
from guide import Guide


@dataclass
class Desk:
    """A folder, terminals, and the addresses of the service, the emulated WeChat and the guide's site."""

    folder: Path
    guide: Guide
    http: ClientSession
    service: str
    wechat: str
    site: str
    variables: dict[str, str] = field(default_factory=dict)
    """Added to the environment."""

    @property
    def _environ(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONWARNINGS": "error", **self.variables}

    async def start(self, command: str) -> asyncio.subprocess.Process:
        """Start a command in the background, as in a terminal of its own."""
        program, *arguments = command.split()
        with (self.folder / "terminals.log").open("a") as log:
            return await asyncio.create_subprocess_exec(
                program,
                *arguments,
                cwd=self.folder,
                env=self._environ,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    async def run(self, command: str) -> str:
        """Run a command, check that it succeeds, and return its output."""
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", command, cwd=self.folder, env=self._environ, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await asyncio.wait_for(shell.communicate(), 30)
        assert shell.returncode == 0, command
        return printed.decode()

    async def wait_for(self, url: str) -> None:
        """Wait until *url* answers with success."""
        async with asyncio.timeout(20):
            while True:
                try:
                    async with self.http.get(url, allow_redirects=False) as answer:
                        if answer.ok:
                            return
                except ClientError:
                    pass
                await asyncio.sleep(0.05)

    async def phone(self, act: str, **body: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.wechat}/sandbox/api/{act}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def newest_code(self) -> str:
        async with self.http.get(f"{self.wechat}/sandbox/api/codes") as answer:
            return str((await answer.json())["codes"][0]["id"])

    async def scan(self, user: str, code: str) -> None:
        if (await self.phone("scan", user=user, code=code))["outcome"] == "follow_first":
            await self.phone("follow", user=user)


@asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.subprocess.Process]:
    """Terminate the process on exit."""
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 20)
