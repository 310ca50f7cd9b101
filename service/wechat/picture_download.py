"""Downloads profile pictures, whose addresses come from WeChat's answers. A failure never costs a login."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from service.outgoing.resolving import BoundedResolver, GuardedResolver, NotPublic
from service.wechat.picture_hosts import allowed_address, may_resolve_to

log = logging.getLogger(__name__)

LONGEST: Final = 1024 * 1024
"""Bytes. WeChat's pictures have less than 64 KiB at 640 pixels."""
TIME_LIMIT: Final = 3.0
"""Seconds for all of a download, with the wait for a slot and the name's resolution."""
AT_ONCE: Final = 8
_HEADERS: Final = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "scanbind"}


class _Unusable(Exception):
    """The answer is not taken, for this reason."""


@dataclass(slots=True, kw_only=True)
class PictureDownload:
    """Downloads over `http`, a session of `open_picture_download`."""

    http: aiohttp.ClientSession
    time_limit: float = TIME_LIMIT
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def fetch(self, address: str, *, api_base: str) -> bytes | None:
        """Return what is at *address*, at most LONGEST bytes; None, and one log line, if it cannot be had.

        Fetched are http and https addresses of `*.qlogo.cn`, always over https, and of the origin of `api_base`,
        the account's: without proxy, redirects or cookies. The content may be anything: what a server says of its
        type proves nothing, and service/identities/picture_encoding.py decides by the content itself.
        """
        url = allowed_address(address, api_base=api_base)
        if url is None:
            log.info("profile picture: not fetched, its address is not of WeChat's picture hosts")
            return None
        try:
            async with asyncio.timeout(self.time_limit), self._slots:
                return await self._download(url)
        except (_Unusable, NotPublic, aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            # only the host: the path is the person's, and aiohttp's errors contain it
            why = str(fault) if isinstance(fault, _Unusable) else type(fault).__name__
            log.info("profile picture: not fetched from %s: %s", url.host, why)
            return None

    async def _download(self, url: URL) -> bytes:
        async with self.http.get(url, allow_redirects=False, headers=_HEADERS) as response:
            if response.status != 200:
                raise _Unusable(f"HTTP {response.status}")
            content = bytearray()
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > LONGEST:
                    raise _Unusable(f"more than {LONGEST} bytes")
            return bytes(content)


@asynccontextmanager
async def open_picture_download(resolver: AbstractResolver | None = None) -> AsyncIterator[PictureDownload]:
    """Open the download; `resolver` is by default the system's.

    Bodies stay as they were sent: a compressed one could unpack to any size, and none was asked for.
    """
    look_ups = BoundedResolver(resolver or aiohttp.ThreadedResolver())
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(look_ups, may_resolve_to), use_dns_cache=False, force_close=True
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        ) as http:
            yield PictureDownload(http=http)
    finally:
        await look_ups.close()
