"""Name resolution for connections to hosts that others name: bounded, and checked before each connection."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

LOOK_UPS: Final = 2
"""How many names are looked up at once: a name server that hangs must leave threads to WeChat's API."""


class NotPublic(Exception):
    """A name resolves to an address that must not be connected to.

    No OSError, which aiohttp would replace by the one of an unknown name.
    """


class BoundedResolver(AbstractResolver):
    """Resolves with another resolver: LOOK_UPS names at once, and each name once for all that wait for it."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._slots = asyncio.Semaphore(LOOK_UPS)
        self._running: dict[tuple[str, int, int], asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raises OSError when it has none."""
        key = host, port, family
        look_up = self._running.get(key)
        if look_up is None:
            look_up = self._running[key] = asyncio.create_task(self._look_up(host, port, family))
            look_up.add_done_callback(lambda _: self._running.pop(key))
        # Not cancelled with the caller: the system's resolver keeps its thread until it has an answer.
        return await asyncio.shield(look_up)

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        async with self._slots:
            return await self._resolver.resolve(host, port, family)

    async def close(self) -> None:
        running = list(self._running.values())
        for look_up in running:
            look_up.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._resolver.close()


class GuardedResolver(AbstractResolver):
    """Resolves with another resolver, and refuses a name if *allowed* refuses one of its addresses.

    aiohttp connects to the addresses that are returned, without a second look-up. It asks no resolver about a host
    that is an address itself (docs/adr/0038).
    """

    def __init__(self, resolver: AbstractResolver, allowed: Callable[[str, str], bool]) -> None:
        self._resolver = resolver
        self._allowed = allowed
        """Gets the name and one address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raises NotPublic, and OSError when it has none."""
        found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError("the host has no address")  # aiohttp raises AssertionError for an empty list
        if not all(self._allowed(host, one["host"]) for one in found):
            raise NotPublic("an address of the host is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()
