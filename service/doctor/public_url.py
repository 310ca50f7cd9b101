"""Checks that a running service answers at the public address."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from service.config.addresses import is_local
from service.config.settings import Settings
from service.doctor.finding import Finding

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def check_public_url(settings: Settings) -> AsyncIterator[Finding]:
    url, subject = settings.server.public_url, "server.public_url"
    parts = urlsplit(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        if await _is_alive(http, f"{url}/livez"):
            yield Finding(True, subject, f"scanbind answers at {url}")
        else:
            remedy = "start the service, or correct the address, its DNS name or the proxy in front of it"
            yield Finding(False, subject, f"no scanbind answers at {url}", remedy)
    if parts.hostname in _LOOPBACK:
        remedy = "set an address that WeChat and phones can reach, before real use"
        yield Finding(None, subject, "only reachable from this machine, so WeChat cannot push to it", remedy)
    elif parts.scheme != "https":
        # elsewhere than in a private network this is a caution of service/config/review.py
        if is_local(parts.hostname or ""):
            yield Finding(None, subject, "without https, secrets are sent unencrypted", "serve it over https")
    elif parts.port not in (None, 443):  # wechat-protocol.md 3.1
        remedy = "serve https on port 443"
        yield Finding(None, subject, "WeChat pushes only to ports 80 and 443", remedy)
    if parts.scheme == "https" and not settings.server.trusted_proxies:
        message = "empty: behind a proxy, rate limits and the chat use the proxy's address for all visitors"
        yield Finding(None, "server.trusted_proxies", message, "list the proxy's network")


async def _is_alive(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, allow_redirects=False) as response:
            return response.status == 200 and await response.json() == {"status": "alive"}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
