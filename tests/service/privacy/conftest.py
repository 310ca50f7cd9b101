"""`scanbind privacy`, run beside a service."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.cli.main import main


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run `scanbind privacy` beside the services; give its status and what it printed."""

    async def run(*argv: str) -> tuple[int, Any, str]:
        config = ["--config", str(tmp_path / "config.yaml")]
        status = await asyncio.to_thread(main, ["privacy", argv[0], *config, *argv[1:]])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run
