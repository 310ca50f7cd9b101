"""Posts pushes to the systems behind an account, and reads their answers, over connections of their own.

A target may be at any address: the operator configured it. What it answers may be anything.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from service.wechat.forwarded_push import ForwardedPush

LONGEST: Final = 64 * 1024
"""Bytes of an answer. WeChat's own limit is not known; its replies have a few KiB."""
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "Mozilla/4.0"}
"""The User-Agent is WeChat's (wechat-protocol.md 3.2)."""


class TargetFailed(Exception):
    """A target did not answer with success; the text is the reason, without its address."""


@dataclass(frozen=True, slots=True)
class PushTargets:
    """Calls targets over `http`, a session of `open_push_targets`. The caller limits time and number."""

    http: aiohttp.ClientSession

    async def post(self, push: ForwardedPush) -> bytes:
        """Post *push* and return the answer, at most LONGEST bytes. Raises TargetFailed."""
        headers = _HEADERS | {"Content-Type": push.content_type}
        return await self._call("POST", push.url, params=push.query, data=push.body, headers=headers)

    async def verify(self, url: str, query: Mapping[str, str]) -> bytes:
        """Send a URL verification and return the answer. Raises TargetFailed."""
        return await self._call("GET", url, params=query, headers=_HEADERS)

    async def _call(self, method: str, url: str, **sent: Any) -> bytes:
        try:
            async with self.http.request(method, url, allow_redirects=False, **sent) as response:
                return await _read(response)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise TargetFailed(f"cannot be called: {type(fault).__name__}") from fault


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if not 200 <= response.status < 300:
        raise TargetFailed(f"answers with HTTP {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TargetFailed("answers compressed, which was not asked for")
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > LONGEST:
            raise TargetFailed(f"answers with more than {LONGEST} bytes")
    return bytes(content)


@asynccontextmanager
async def open_push_targets() -> AsyncIterator[PushTargets]:
    """Open the connections to targets: without proxy, redirects, cookies and compression.

    Each push has a connection of its own: one that the target had closed meanwhile would lose the push.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    ) as http:
        yield PushTargets(http)
