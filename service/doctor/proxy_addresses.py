"""Tells from what the service saw whether proxies name the address of each visitor."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from service.doctor.finding import Finding
from service.doctor.probe import Sight
from service.doctor.prober import SPOOFED

_SUBJECT: Final = "server.trusted_proxies"
_SHARED: Final = "so all visitors share its address"


def address_findings(sight: Sight) -> Iterator[Finding]:
    """Yield what is wrong with the addresses of requests that came through a proxy."""
    appended = list(takewhile(lambda hop: hop != SPOOFED, sight.chain))
    if appended:
        yield from _appended(sight, furthest=appended[-1])
    elif sight.chain and sight.trusted:
        message = f"the proxy at {sight.peer} lets clients write {sight.header}, so they can claim any address"
        yield Finding(False, _SUBJECT, message, f"let it write the address of its client into {sight.header}")
    elif sight.chain:  # perhaps there is no proxy, but a translation of addresses
        message = f"requests come from {sight.peer}; if that is a proxy, all visitors share its address"
        remedy = f"if it is one, list it here, and let it write {sight.header}"
        yield Finding(True, _SUBJECT, message, remedy, untested=True)
    elif sight.others:
        message = f"the proxy at {sight.peer} writes {sight.others[0]}, which is not read, {_SHARED}"
        yield Finding(None, _SUBJECT, message, "set server.proxy_headers to the header that it writes")
    else:
        message = f"the proxy at {sight.peer} does not say where requests come from, {_SHARED}"
        yield Finding(None, _SUBJECT, message, f"let it write the address of its client into {sight.header}")


def _appended(sight: Sight, *, furthest: str) -> Iterator[Finding]:
    if not sight.trusted:
        yield _unlisted(sight.peer)
    elif "unknown" in sight.chain:
        message = f"a proxy writes an address into {sight.header} that cannot be read, {_SHARED}"
        yield Finding(None, _SUBJECT, message, "let it write the plain address: see the warning in the log")
    elif sight.address not in (furthest, SPOOFED):  # SPOOFED: the doctor runs beside the proxy, and is trusted too
        yield _unlisted(sight.address)


def _unlisted(proxy: str) -> Finding:
    message = f"the proxy at {proxy} is not listed, {_SHARED}"
    return Finding(None, _SUBJECT, message, f"add {proxy}, or its network")
