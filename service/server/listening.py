"""Starts to listen on configured addresses; a failure names the setting and what to do."""

import errno
import os
import socket
import sys
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Place:
    """An address to listen on, and the settings that name its host and its port."""

    host: str
    port: int
    host_setting: str = "server.host"
    port_setting: str = "server.port"


async def listen(site: web.BaseSite, place: Place) -> None:
    """Start listening. Raises OSError with a message that names the setting and what to do."""
    try:
        await site.start()
    except OSError as error:
        raise OSError(error.errno, _not_listening(error, place)) from error


def _not_listening(error: OSError, place: Place) -> str:
    host, port = place.host, place.port
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{place.host_setting}: {host} is no address of this machine; 0.0.0.0 stands for all of them"
    if error.errno == errno.EADDRINUSE:
        finds = f"`ss -ltnp 'sport = :{port}'`" if sys.platform == "linux" else f"`lsof -nP -iTCP:{port}`"
        return (
            f"{place.port_setting}: {port} is in use at {host}; choose another, or find the process with {finds}"
        )
    if error.errno == errno.EACCES:
        return f"{place.port_setting}: {port} may only be used by root; choose one from 1024 on, behind a proxy"
    # asyncio's own text repeats the address
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
    settings = ", ".join(dict.fromkeys((place.host_setting, place.port_setting)))
    return f"{settings}: cannot listen on {host}, port {port}: {reason}"
