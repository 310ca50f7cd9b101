"""Checks that a running service answers at the public address."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from service.config.addresses import is_local
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.proxies import check_proxies

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def check_public_url(settings: Settings) -> AsyncIterator[Finding]:
    url, subject = settings.server.public_url, "server.public_url"
    parts = urlsplit(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        fault = await _fault(http, url)
    if fault:
        yield fault
    else:
        yield Finding(True, subject, f"scanbind answers at {url}")
        async for finding in check_proxies(settings):
            yield finding
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
    if fault and parts.scheme == "https" and not settings.server.trusted_proxies:
        message = "empty: behind a proxy, rate limits and the chat use the proxy's address for all visitors"
        yield Finding(None, "server.trusted_proxies", message, "list the proxy's network")


async def _fault(http: aiohttp.ClientSession, url: str) -> Finding | None:
    """Return why no scanbind answers at *url*."""
    subject = "server.public_url"
    try:
        async with http.get(f"{url}/livez", allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                there = urlsplit(response.headers.get("Location", ""))
                message = f"{url} redirects to {there.scheme}://{there.netloc}"
                return Finding(False, subject, message, "write that address here, if it is the right one")
            if response.status == 200 and await response.json() == {"status": "alive"}:
                return None
    except aiohttp.ClientConnectorCertificateError as error:
        message = f"the certificate of {url} is not valid: {error.certificate_error}"
        return Finding(False, subject, message, "renew it, or send the whole chain")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        pass
    remedy = "start the service, or correct the address, its DNS name or the proxy in front of it"
    return Finding(False, subject, f"no scanbind answers at {url}", remedy)
