"""Checks that a running service answers at the public address."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from service.config.addresses import is_local
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.prober import FAULTS, beginning
from service.doctor.proxies import check_proxies
from service.storage.reasons import system_reason

_SUBJECT: Final = "server.public_url"
_ALIVE: Final = b'{"status":"alive"}'
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def check_public_url(settings: Settings) -> AsyncIterator[Finding]:
    url = settings.server.public_url
    parts = urlsplit(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        fault = await _fault(http, url)
    if fault:
        yield fault
    else:
        yield Finding(True, _SUBJECT, f"scanbind answers at {url}")
        async for finding in check_proxies(settings):
            yield finding
    if parts.hostname in _LOOPBACK:
        remedy = "set an address that WeChat and phones can reach, before real use"
        yield Finding(None, _SUBJECT, "only reachable from this machine, so WeChat cannot push to it", remedy)
    elif parts.scheme != "https":
        # elsewhere than in a private network this is a caution of service/config/review.py
        if is_local(parts.hostname or ""):
            yield Finding(None, _SUBJECT, "without https, secrets are sent unencrypted", "serve it over https")
    elif parts.port not in (None, 443):  # wechat-protocol.md 3.1
        remedy = "serve https on port 443"
        yield Finding(None, _SUBJECT, "WeChat pushes only to ports 80 and 443", remedy)
    if fault and parts.scheme == "https" and not settings.server.trusted_proxies:
        message = "empty: behind a proxy, rate limits and the chat use the proxy's address for all visitors"
        yield Finding(None, "server.trusted_proxies", message, "list the proxy's network")


async def _fault(http: aiohttp.ClientSession, url: str) -> Finding | None:
    """Return why no scanbind answers at *url*."""
    try:
        async with http.get(f"{url}/livez", allow_redirects=False) as response:
            return _of_answer(url, response, await beginning(response))
    except aiohttp.ClientConnectorCertificateError as error:
        message = f"the certificate of {url} is not valid: {error.certificate_error}"
        return Finding(False, _SUBJECT, message, "renew it, or send the whole chain")
    except aiohttp.ClientConnectorError as error:
        return _nothing(url, system_reason(error.os_error))
    except aiohttp.ClientResponseError:
        return _nothing(url, "the answer is not HTTP/1.1")
    except FAULTS as error:
        return _nothing(url, system_reason(error))


def _of_answer(url: str, response: aiohttp.ClientResponse, body: bytes) -> Finding | None:
    if response.status in _REDIRECTS:
        there = urlsplit(response.headers.get("Location", ""))
        message = f"{url} redirects to {there.scheme}://{there.netloc}"
        return Finding(False, _SUBJECT, message, "write that address here, if it is the right one")
    if response.status != 200:
        return _nothing(url, f"the status is {response.status}")
    return None if body == _ALIVE else _nothing(url, "the answer is that of another program")


def _nothing(url: str, why: str) -> Finding:
    remedy = "start the service, or correct the address, its DNS name or the proxy in front of it"
    return Finding(False, _SUBJECT, f"no scanbind answers at {url}: {why}", remedy)
