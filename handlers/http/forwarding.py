"""Finds where a request comes from, through the proxies of `server.trusted_proxies` (contract.md 1, ADR 0020)."""

import logging
from dataclasses import replace
from typing import Final

from aiohttp import web

from handlers.http.responses import listed
from models import forwarded
from models.forwarded import Hop
from models.ip_address import Address, parsed_address
from service.app_keys import SETTINGS

log = logging.getLogger(__name__)

_FORWARDED: Final = "Forwarded"
_X_FORWARDED_FOR: Final = "X-Forwarded-For"
_MOST_WARNINGS: Final = 10
_WARNED: Final = set[tuple[str, ...]]()
"""The faults that this process has logged."""


def origin(request: web.Request) -> Hop:
    """Return the furthest hop that a chain of trusted proxies reports; without one, the connection itself.

    Nothing left of the first hop that is untrusted or cannot be read is used. Behind an unreadable one the address
    of the proxy that wrote it counts.
    """
    standard = _is_standard(request)
    header = _FORWARDED if standard else _X_FORWARDED_FOR
    named = (forwarded.forwarded if standard else forwarded.x_forwarded_for)(listed(request, header))
    hop = Hop(parsed_address(request.remote or ""))
    while _is_trusted(request, hop.address):
        further = next(named, None)
        if further is None:
            if header not in request.headers and _X_FORWARDED_FOR in request.headers:
                ignored = "trusted proxy %s: sends %s, but server.proxy_headers names %s"
                _warn(ignored, hop.address, _X_FORWARDED_FOR, header)
            break
        if further.address is None:
            shared = "trusted proxy %s: cannot read its %s of the form %r; its visitors share its address"
            _warn(shared, hop.address, header, further.form)
            return replace(further, address=hop.address)
        hop = further
    return hop


def is_https(request: web.Request) -> bool:
    """Tell whether a trusted proxy reports that the browser uses https."""
    if _is_standard(request):
        return origin(request).scheme == "https"
    if not _is_trusted(request, parsed_address(request.remote or "")):
        return False
    # The first of several: each proxy on the way may add how it was itself reached.
    schemes = (one.strip(' \t"').lower() for one in listed(request, "X-Forwarded-Proto").split(","))
    return next(filter(None, schemes), "") == "https"


def _is_standard(request: web.Request) -> bool:
    """Tell whether `Forwarded` is read: if it is configured, or if there is no `X-Forwarded-For` (ADR 0020)."""
    configured = request.app[SETTINGS].server.proxy_headers == "forwarded"
    return configured or (_FORWARDED in request.headers and _X_FORWARDED_FOR not in request.headers)


def _is_trusted(request: web.Request, address: Address | None) -> bool:
    return address is not None and any(address in it for it in request.app[SETTINGS].server.trusted_proxies)


def _warn(message: str, proxy: Address | None, *fault: str) -> None:
    """Log a fault once; only so many different ones, because a client may cause any."""
    if fault not in _WARNED and len(_WARNED) < _MOST_WARNINGS:
        _WARNED.add(fault)
        log.warning(message, proxy, *fault)
