"""Sends the doctor's requests through the public address."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict
from pydantic import ValidationError
from yarl import URL

from models.ip_address import parsed_address
from service.config.settings import Settings
from service.crypto.keyring import Keyring
from service.crypto.secret_key_file import resolve_secret_keys
from service.doctor.probe import PAUSE, SENT, TOKEN, Sight

SPOOFED: Final = "192.0.2.77"
"""An address of no machine (RFC 5737), which a client could claim to have."""
FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
_WITHIN: Final = aiohttp.ClientTimeout(total=5)
_LARGEST: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """The answer to a request: what the service saw of it, or the status if it is no answer of the service."""

    status: int
    headers: CIMultiDict[str]
    sight: Sight | None
    direct: bool
    """The connection of the doctor is that of the service, so there is no proxy between."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The answer to a request for the stream."""

    status: int
    at_once: bool
    """The first piece arrived before the second was sent."""


@dataclass(slots=True)
class Prober:
    """Requests of one run of the doctor. Each method raises `FAULTS`."""

    url: str
    http: aiohttp.ClientSession
    keyring: Keyring
    claims: Mapping[str, str]
    """The header in which a client could claim another address."""
    sockets: list[socket.socket] = field(default_factory=list)

    async def look(self, segment: str) -> Look:
        """Ask what the service sees of a request to an address that ends in *segment*, percent-encoded."""
        async with self._asked(f"/v1/probe/{segment}") as answer:
            sight = _sight(await beginning(answer))
            direct = sight is not None and self._is_own(sight)
            return Look(answer.status, answer.headers.copy(), sight, direct)

    async def stream(self) -> Stream:
        """Ask for the stream, and see when its pieces arrive."""
        loop = asyncio.get_running_loop()
        wishes = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        async with self._asked("/v1/probe-stream", wishes) as answer:
            await answer.content.readany()
            began = loop.time()
            while not answer.content.at_eof():
                await answer.content.readany()
            return Stream(answer.status, loop.time() - began > PAUSE / 2)

    def _asked(
        self, path: str, wishes: Mapping[str, str] = MappingProxyType({})
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request. A redirect is not followed: the token is for the public address alone."""
        url = URL(f"{self.url}{path}", encoded=True)
        return self.http.get(url, headers={**self._headers(), **wishes}, allow_redirects=False)

    def _headers(self) -> dict[str, str]:
        return {**SENT, **self.claims, TOKEN: self.keyring.probe(datetime.now(UTC))}

    def _is_own(self, sight: Sight) -> bool:
        """Tell whether the connection that the service saw is one of the doctor's."""
        return any(_name(one) == (sight.peer, sight.port) for one in self.sockets if one.fileno() >= 0)


@asynccontextmanager
async def open_prober(settings: Settings) -> AsyncIterator[Prober]:
    sockets = list[socket.socket]()

    def make(address: Any) -> socket.socket:
        sockets.append(made := socket.socket(*address[:3]))
        return made

    standard = settings.server.proxy_headers == "forwarded"
    claims = {"Forwarded": f"for={SPOOFED}"} if standard else {"X-Forwarded-For": SPOOFED}
    keyring = Keyring.derive(resolve_secret_keys(settings), ())
    connector, jar = aiohttp.TCPConnector(socket_factory=make), aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=_WITHIN) as http:
        yield Prober(settings.server.public_url, http, keyring, claims, sockets)


async def beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Read the body to its end, or until it is larger than what the service answers."""
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > _LARGEST:
            break
    return bytes(content)


def _sight(body: bytes) -> Sight | None:
    try:
        return Sight.model_validate_json(body)
    except ValidationError:
        return None


def _name(one: socket.socket) -> tuple[str, int]:
    host, port = one.getsockname()[:2]
    return str(parsed_address(host) or ""), port
