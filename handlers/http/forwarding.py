"""Finds where a request comes from, through the proxies of `server.trusted_proxies` (contract.md 1, ADR 0020)."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aiohttp import web

from handlers.http.responses import listed
from models import forwarded
from models.forwarded import Hop
from models.ip_address import Address, peer_address
from service.config.settings import Server

log = logging.getLogger(__name__)

_FORWARDED: Final = "Forwarded"
_X_FORWARDED_FOR: Final = "X-Forwarded-For"
HEADERS: Final = (_X_FORWARDED_FOR, _FORWARDED)
_MOST_WARNINGS: Final = 10
_WARNED: Final = set[tuple[str, ...]]()
"""The faults that this process has logged."""


def origin(request: web.BaseRequest, server: Server) -> Hop:
    """Return the furthest hop that a chain of trusted proxies reports; without one, the connection itself.

    Nothing left of the first hop that is untrusted or cannot be read is used. Behind an unreadable one the address
    of the proxy that wrote it counts.
    """
    hop, named = Hop(peer_address(request.remote or "")), hops(request, server)
    while is_trusted(hop.address, server):
        further = next(named, None)
        header = header_of(request, server)
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


def header_of(request: web.BaseRequest, server: Server) -> str:
    """Return the name of the header that is read."""
    return _FORWARDED if _is_standard(request, server) else _X_FORWARDED_FOR


def hops(request: web.BaseRequest, server: Server) -> Iterator[Hop]:
    """Yield what proxies have written into the header that is read, the nearest first."""
    read = forwarded.forwarded if _is_standard(request, server) else forwarded.x_forwarded_for
    yield from read(listed(request, header_of(request, server)))


def is_https(request: web.BaseRequest, server: Server) -> bool:
    """Tell whether a trusted proxy reports that the browser uses https."""
    if _is_standard(request, server):
        return origin(request, server).scheme == "https"
    if not is_trusted(peer_address(request.remote or ""), server):
        return False
    # The first of several: each proxy on the way may add how it was itself reached.
    schemes = (one.strip(' \t"').lower() for one in listed(request, "X-Forwarded-Proto").split(","))
    return next(filter(None, schemes), "") == "https"


def _is_standard(request: web.BaseRequest, server: Server) -> bool:
    """Tell whether `Forwarded` is read: if it is configured, or if there is no `X-Forwarded-For` (ADR 0020)."""
    configured = server.proxy_headers == "forwarded"
    return configured or (_FORWARDED in request.headers and _X_FORWARDED_FOR not in request.headers)


def is_trusted(address: Address | None, server: Server) -> bool:
    """Tell whether *address* is that of a trusted proxy."""
    return address is not None and any(address in it for it in server.trusted_proxies)


def _warn(message: str, proxy: Address | None, *fault: str) -> None:
    """Log a fault once; only so many different ones, because a client may cause any."""
    if fault not in _WARNED and len(_WARNED) < _MOST_WARNINGS:
        _WARNED.add(fault)
        log.warning(message, proxy, *fault)
