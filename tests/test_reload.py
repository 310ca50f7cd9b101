"""Runs the blocks of docs/reload.md in order, in both languages, against a real process.

Red when a command there fails, or prints other lines than the page shows.
"""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Final

import pytest
from aiohttp import ClientSession
from guide import Guide
from harness import ORIGIN, client
from serving import serving, wechat

ROOT: Final = Path(__file__).parent.parent
PROCESS: Final = re.compile(r"^process \d+:", re.MULTILINE)


async def run(commands: str, folder: Path) -> tuple[int, str]:
    """Run each line, and return the last status and all that was printed."""
    status, printed = 0, ""
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "scanbind"
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "service", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        status, printed = process.returncode or 0, printed + out.decode()
    return status, PROCESS.sub("process 4021:", printed)


def write(config: Path, **clients: object) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text()), "clients": clients}))


@pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])
async def test_the_page_says_what_the_commands_do(language: str, tmp_path: Path) -> None:
    guide = Guide(ROOT / "docs" / f"reload{language}.md", {"my.yaml": "config.yaml"})
    config, old = tmp_path / "config.yaml", client("club", origins=["https://old.example"])
    async with (
        ClientSession() as http,
        wechat() as api_base,
        serving(tmp_path, api_base, clients={"shop": client("shop", origins=[ORIGIN]), "old": old}) as service,
    ):
        await service.ready(http)
        write(config, shop=client("shop", origins=[ORIGIN, "https://new.example"]))
        status, printed = await run(commands := guide.take("sh"), tmp_path)
        assert (status, printed) == (0, f"configuration is good\n{guide.take('text')}\n")
        write(config, shop=client("shop", accounts=["other"]))
        status, printed = await run(commands.splitlines()[1], tmp_path)
        assert (status, printed) == (2, f"{guide.take('text')}\n")
        write(config, shop=client("shop"))
        address, bearer, _ = await service.login(http)
        assert (await run(guide.take("sh"), tmp_path))[0] == 0
        async with http.get(address, headers=bearer) as response:
            assert response.status == 200
    assert guide.left == []
