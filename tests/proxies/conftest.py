"""A service behind a real proxy; skipped where the proxy's program is missing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import World
from real_proxies import NAMES, Kind, in_front_of

KINDS = [Kind(name, compresses) for name in NAMES for compresses in (False, True)]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind.name}{'-compressing' * kind.compresses}")
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    if not kind.found():
        pytest.skip(f"needs {kind.program}, which is not on this machine")
    return kind


@pytest.fixture
async def behind(make: Any, kind: Kind, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose pages and sites reach the service through the proxy."""
    world: World = await make(limits={"tickets_per_address": 2}, server={"trusted_proxies": ["127.0.0.1"]})
    folder = tmp_path / "proxy"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        yield replace(world, url=await stack.enter_async_context(in_front_of(world.url, kind, folder)))
