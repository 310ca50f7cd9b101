"""Hold a call of the service in the middle of a push, so that a test decides what happens meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest


class Held:
    """The next call of a method: it begins when `release` is called. All later calls begin at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> None:
        self._reached, self._released = asyncio.Event(), asyncio.Event()
        original: Callable[..., Awaitable[Any]] = getattr(owner, method)

        async def held(*args: Any, **kwargs: Any) -> Any:
            if not self._reached.is_set():
                self._reached.set()
                await self._released.wait()
            return await original(*args, **kwargs)

        monkeypatch.setattr(owner, method, held)

    async def reached(self) -> None:
        """Wait until the call is held."""
        async with asyncio.timeout(20):
            await self._reached.wait()

    def release(self) -> None:
        self._released.set()
