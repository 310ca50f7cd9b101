"""Sends the doctor's requests through the public address."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
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
    headers: Mapping[str, str]
    sight: Sight | None
    direct: bool
    """The connection of the doctor is that of the service, so there is no proxy between."""


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
        async with self.http.get(self._at(f"/v1/probe/{segment}"), headers=self._headers()) as answer:
            body = await answer.content.read(_LARGEST)
            sight = _sight(body)
            direct = sight is not None and self._is_own(sight)
            return Look(answer.status, answer.headers.copy(), sight, direct)

    async def streams_at_once(self) -> bool:
        """Tell whether the first piece of a stream arrives before the second is sent."""
        loop = asyncio.get_running_loop()
        headers = self._headers() | {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        async with self.http.get(self._at("/v1/probe-stream"), headers=headers) as answer:
            await answer.content.readany()
            began = loop.time()
            while not answer.content.at_eof():
                await answer.content.readany()
            return loop.time() - began > PAUSE / 2

    def _at(self, path: str) -> URL:
        return URL(f"{self.url}{path}", encoded=True)

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


def _sight(body: bytes) -> Sight | None:
    try:
        return Sight.model_validate_json(body)
    except ValidationError:
        return None


def _name(one: socket.socket) -> tuple[str, int]:
    host, port = one.getsockname()[:2]
    return str(parsed_address(host) or ""), port
