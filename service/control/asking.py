"""Calls the control sockets of all running processes that share a data folder."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from service.control.sockets import control_sockets, forget

_PATIENCE: Final = 60.0
"""Seconds for an answer: a reload may wait for the one before it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process answered: a status of HTTP, and JSON. Status 0: it did not answer, and `body` is empty."""

    status: int
    body: dict[str, Any]


async def ask(data_dir: Path, method: str, path: str, *, patience: float = _PATIENCE) -> list[Answer]:
    """Call all processes at the same time; remove the sockets of those that were killed.

    Raises ConfigError: the folder of the sockets belongs to another user.
    """
    asked = (_ask(socket, method, path, patience) for socket in control_sockets(data_dir))
    return [answer for answer in await asyncio.gather(*asked) if answer is not None]


async def _ask(socket: Path, method: str, path: str, patience: float) -> Answer | None:
    """Return None if no process listens at *socket*."""
    timeout = aiohttp.ClientTimeout(total=patience)
    connector = aiohttp.UnixConnector(str(socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.request(method, f"http://scanbind{path}") as response,
        ):
            return Answer(response.status, await response.json())
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, ConnectionRefusedError):
            forget(socket)
            return None
        if isinstance(error.os_error, FileNotFoundError):
            return None
        raise error.os_error from None
    except (aiohttp.ClientError, TimeoutError):
        return Answer(0, {})
