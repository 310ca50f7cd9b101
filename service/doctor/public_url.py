"""Checks that the public address leads to a running service."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from service.config.settings import Settings
from service.doctor.finding import Finding

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def check_public_url(settings: Settings) -> AsyncIterator[Finding]:
    url, subject = settings.server.public_url, "server.public_url"
    parts = urlsplit(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        if await _lives(http, f"{url}/livez"):
            yield Finding(True, subject, f"{url} leads here")
        else:
            remedy = "start the service, or correct the address, its DNS name or the proxy before it"
            yield Finding(False, subject, f"no scanbind answers at {url}", remedy)
    if parts.hostname in _LOOPBACK:
        remedy = "set the address that the internet reaches, once real people are to scan"
        yield Finding(None, subject, "only this machine reaches it, so WeChat cannot", remedy)
    elif parts.scheme != "https":
        yield Finding(None, subject, "secrets travel in the clear", "put it behind https")
    elif parts.port not in (None, 443):  # wechat-protocol.md 3.1
        remedy = "serve https on port 443"
        yield Finding(None, subject, "WeChat pushes to the ports 80 and 443 alone", remedy)
    if parts.scheme == "https" and not settings.server.trusted_proxies:
        message = "none, so all visitors behind the proxy have its address: they are counted, and named, as one"
        yield Finding(None, "server.trusted_proxies", message, "name the proxy's network")


async def _lives(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, allow_redirects=False) as response:
            return response.status == 200 and await response.json() == {"status": "alive"}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
