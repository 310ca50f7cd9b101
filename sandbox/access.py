"""Access control for the sandbox: its own page and local tools may control it, pages of other sites may not."""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

CONTROL: Final = "/sandbox/api/"
SMS: Final = "/sandbox/sms"
INSIDE: Final = "/inside/"
"""The pages that are open inside people's WeChat."""
_OWN_FETCHES: Final = (None, "same-origin", "none")


def is_foreign(request: web.Request, *, public_url: str) -> bool:
    """Return whether a page of another site sent this request.

    Fetch metadata and Origin show that directly. A foreign host name that resolves to this machine (DNS rebinding)
    would pass both checks, so the Host must be an address, localhost or the sandbox's own name.
    """
    if request.headers.get("Sec-Fetch-Site") not in _OWN_FETCHES:
        return True
    host = urlsplit(f"//{request.host}")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host.netloc:
        return True
    return not _is_own_name(host.hostname or "", urlsplit(public_url).hostname)


def _is_own_name(name: str, own: str | None) -> bool:
    if name in ("localhost", own):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_near(request: web.Request) -> bool:
    """Return whether the request comes from this machine, over its loopback interface."""
    try:
        peer = ipaddress.ip_address(request.remote or "")
    except ValueError:  # a peer without an IP address
        return False
    # A dual-stack socket reports 127.0.0.1 as ::ffff:127.0.0.1.
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


def guard(public_url: Callable[[web.Request], str]) -> Middleware:
    """Return a middleware that rejects what pages of other sites send to the control API, SMS and INSIDE."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith((CONTROL, SMS, INSIDE)) and is_foreign(request, public_url=public_url(request)):
            return web.json_response({"error": "requests from pages of other sites are not allowed"}, status=403)
        return await handler(request)

    return middleware
