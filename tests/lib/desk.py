"""Does what a guide says, as a person at a machine of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession
from guide import Guide
from serving import port_of_a_process

ROOT = Path(__file__).parents[2]
"""Commands run the code that is tested, also where another copy of it is installed."""
PATIENCE = 60
"""Seconds that a command or a start may take on a busy machine."""


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
        ours = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        return {**os.environ, **ours, **self.variables}

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

    async def sandbox(self, stack: AsyncExitStack, command: str) -> str:
        """Start the emulated WeChat until the stack closes; return the settings that it prints."""
        process = await stack.enter_async_context(ended(await self.start(command)))
        assert process.stdout
        async with asyncio.timeout(PATIENCE):
            printed = (await process.stdout.read(4096)).decode()  # it is one write, and those to pipes are whole
        return printed.partition("to try:\n\n")[2]

    async def run(self, command: str) -> str:
        """Run a command, check that it succeeds, and return its output."""
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", command, cwd=self.folder, env=self._environ, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await asyncio.wait_for(shell.communicate(), PATIENCE)
        assert shell.returncode == 0, command
        return printed.decode()

    async def wait_for(self, url: str) -> None:
        """Wait until *url* answers with success."""
        async with asyncio.timeout(PATIENCE):
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
        await asyncio.wait_for(process.communicate(), PATIENCE)


@asynccontextmanager
async def at_desk(folder: Path, page: Path) -> AsyncIterator[Desk]:
    """Give a desk in *folder* at which *page* is read, with ports of its own in place of those on the page."""
    service, wechat, site = (port_of_a_process() for _ in range(3))
    elsewhere = {
        "127.0.0.1:8080": f"127.0.0.1:{service}",
        "127.0.0.1:8000": f"127.0.0.1:{site}",
        "port=8000": f"port={site}",
        "scanbind sandbox": f"scanbind sandbox --port {wechat} --callback http://127.0.0.1:{service}/wechat/main",
    }
    async with ClientSession() as http:
        addresses = (f"http://127.0.0.1:{port}" for port in (service, wechat, site))
        guide = Guide(page, elsewhere)
        yield Desk(folder, guide, http, *addresses, {"SCANBIND_SERVER__PORT": str(service)})
