"""A DNS that answers as each test says, and a network in which every address leads to this machine."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult


@dataclass
class Names(AbstractResolver):
    """A DNS that answers each look-up with the next addresses, the last for ever; None is never answered."""

    answers: list[list[str] | None]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if found is None:
            await asyncio.Event().wait()
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=socket.AF_INET, proto=0, flags=0)
            for ip in found or ()
        ]

    async def close(self) -> None:
        self.asked.append("closed")


def internet(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Let every IPv4 connection of the running loop end on this machine; return the addresses they were for."""
    loop = asyncio.get_running_loop()
    connect, connected = loop.sock_connect, []

    async def here(sock: socket.socket, address: Any) -> None:
        connected.append(address[0])
        await connect(sock, ("127.0.0.1", address[1]))

    monkeypatch.setattr(loop, "sock_connect", here)
    return connected
