"""Posts webhooks to addresses that sites name, and to no other part of the network (docs/adr/0038)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from models.ip_address import may_be_posted_to, parsed_address
from service.outgoing.resolving import BoundedResolver, GuardedResolver, NotPublic
from service.version import VERSION
from service.webhooks.answer import TIME_LIMIT, Answer, answered, failed
from service.webhooks.endpoints import Endpoint
from service.webhooks.signatures import seconds, signature_header

LONGEST: Final = 64 * 1024
"""How much of an answer is read, in bytes; then the connection is closed."""
KEPT: Final = 1024
"""How much of it is kept, in bytes."""
KEEP_ALIVE: Final = 1.5
"""Seconds that a connection is kept for the next post: less than servers keep theirs, commonly 2 or more."""
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": f"scanbind/{VERSION}",
}


@dataclass(slots=True, kw_only=True)
class WebhookPost:
    """Posts over two sessions of `open_webhook_post`, so that no connection of one serves the other."""

    public: aiohttp.ClientSession
    private: aiohttp.ClientSession
    """Of endpoints with `allow_private`."""
    time_limit: float = TIME_LIMIT

    async def post(self, endpoint: Endpoint, *, message_id: str, body: bytes, at: datetime) -> Answer:
        """Sign *body*, UTF-8, for this try, which is made *at* this time in UTC, and send it. Never raises.

        Without proxy, redirects or cookies. How many run at once is for the caller to limit.
        """
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": seconds(at),
            "webhook-signature": signature_header(endpoint.signers, message_id, at, body),
        }
        try:
            async with asyncio.timeout(self.time_limit):
                return await self._send(endpoint, body, headers, at)
        except (NotPublic, aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            return failed(error)

    async def _send(self, endpoint: Endpoint, body: bytes, headers: dict[str, str], at: datetime) -> Answer:
        url = URL(endpoint.url, encoded=True)
        _check_literal(url.raw_host or "", allow_private=endpoint.allow_private)
        http = self.private if endpoint.allow_private else self.public
        async with http.post(url, data=body, headers=headers, allow_redirects=False) as response:
            kept = await _beginning(response)
            return answered(response.status, response.headers.get("Retry-After"), kept, at=at)


def _check_literal(host: str, *, allow_private: bool) -> None:
    """Raise NotPublic if *host* is itself an address, about which aiohttp asks no resolver, and is not allowed."""
    literal = ":" in host or parsed_address(host) is not None
    if literal and not may_be_posted_to(host, allow_private=allow_private):
        raise NotPublic("the host is not a public address")


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read the body to its end or to LONGEST bytes; return its first KEPT."""
    kept, read = bytearray(), 0
    async for piece in response.content.iter_any():
        kept += piece[: KEPT - len(kept)]
        read += len(piece)
        if read > LONGEST:
            response.close()
            break
    return bytes(kept)


@contextlib.asynccontextmanager
async def open_webhook_post(resolver: AbstractResolver | None = None) -> AsyncIterator[WebhookPost]:
    """Open the sessions; `resolver` is by default the system's."""
    look_ups = BoundedResolver(resolver or aiohttp.ThreadedResolver())
    try:
        async with (
            _session(look_ups, allow_private=False) as public,
            _session(look_ups, allow_private=True) as private,
        ):
            yield WebhookPost(public=public, private=private)
    finally:
        await look_ups.close()


def _session(look_ups: AbstractResolver, *, allow_private: bool) -> aiohttp.ClientSession:
    allowed = partial(_allowed, allow_private=allow_private)
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(look_ups, allowed), use_dns_cache=False, limit=0, keepalive_timeout=KEEP_ALIVE
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(),
    )


def _allowed(_name: str, address: str, *, allow_private: bool) -> bool:
    return may_be_posted_to(address, allow_private=allow_private)
