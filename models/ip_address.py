"""IP addresses as callers send them, and which of them count as one."""

import ipaddress
from collections.abc import Iterator
from typing import Final

_PREFIXES: Final = {64: 1, 48: 16}
"""A subscriber has an IPv6 /64 and may have a whole /48, which may then do so many times as much."""


def parsed_address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address, an IPv4 one that came as IPv6 (`::ffff:…`) as itself; None if it is none."""
    try:
        parsed = ipaddress.ip_address(ip.strip())
    except ValueError:
        return None
    if parsed.version == 4:
        return parsed
    # A zone (`fe80::1%…`) may hold almost any text, and names a wire of somebody else's machine.
    return parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed))


def shares(address: str) -> Iterator[tuple[str, int]]:
    """Yield whom *address* is counted as, and how many times the limit each may have.

    An IPv6 subscriber is one, whichever of their addresses they use.
    """
    ip = parsed_address(address)
    if ip is None or ip.version == 4:
        yield str(ip or address), 1
        return
    for prefix, times in _PREFIXES.items():
        yield str(ipaddress.ip_network((ip, prefix), strict=False)), times
