"""Parsing of IP addresses, the grouping of clients' for rate limits, and which ones may be connected to."""

import ipaddress
import re
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PREFIXES: Final = {64: 1, 48: 16}
"""IPv6 prefixes that are counted, each with its multiple of the limit. A subscriber has a /64, or a whole /48."""

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA has assigned for it (RFC 4291, 2.4)."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as DNS64 shows them to networks without IPv4 (RFC 6052)."""

_HOSTS: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "169.254.0.0/16",  # link-local (RFC 3927), and most clouds' metadata
        "fe80::/10",  # link-local (RFC 4291)
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "168.63.129.16/32",  # Azure's WireServer, in a block of the Internet
        "192.0.0.192/32",  # Oracle Cloud's older metadata
        "fd00:ec2::254/128",  # AWS's metadata
        "fd20:ce::254/128",  # Google Cloud's metadata
    )
)
"""Addresses of the machine's own link, where the hosts of virtual machines answer with their credentials."""

_PORT: Final = r"(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?"
_NODE: Final = re.compile(rf"\[([^\[\]]*)\]{_PORT}|([0-9.]+){_PORT}|([^\[\]]*)")


def parsed_address(ip: str) -> Address | None:
    """Parse an IP address, an IPv4-mapped one (`::ffff:…`) as IPv4; None if it is not valid."""
    try:
        parsed = ipaddress.ip_address(ip.strip())
    except ValueError:
        return None
    if parsed.version == 4:
        return parsed
    # The zone (`fe80::1%…`) is dropped: it may contain almost any text, and has no meaning on this machine.
    return parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed))


def parsed_node(text: str) -> Address | None:
    """Parse an address as proxies write it, in brackets or not, with a port or not; None if it is not valid.

    A port may be obfuscated (RFC 7239, 6.3): `203.0.113.7:443`, `[2001:db8::1]:_hidden`.
    """
    node = _NODE.fullmatch(text.strip())
    return parsed_address(node[node.lastindex or 0]) if node else None


peer_address: Final = lru_cache(maxsize=4096)(parsed_address)
"""Parses the address of a connection, which sends many requests; of 39 characters at most, and a zone."""


@lru_cache(maxsize=4096)
def shares(address: str) -> tuple[tuple[str, int], ...]:
    """Return each key under which *address* is counted, with the multiple of the limit that the key has.

    IPv6 is counted by prefix, because a subscriber can choose among all addresses of one.
    """
    ip = parsed_address(address)
    if ip is None or ip.version == 4:
        return ((str(ip or address), 1),)
    return tuple(
        (str(ipaddress.ip_network((ip, prefix), strict=False)), times) for prefix, times in _PREFIXES.items()
    )


def is_public(address: str) -> bool:
    """Return whether *address* is a unicast address of the Internet; False if it is not valid.

    An IPv4 address in an IPv6 one counts by itself. Tunnels (6to4, Teredo) are refused: where they lead is written
    in them, and what unpacks them may be on the local network.
    """
    ip = _translated(address)
    if ip is None or (ip.version == 6 and (ip not in _GLOBAL_UNICAST or ip.sixtofour)):
        return False
    return ip.is_global and not ip.is_multicast


def may_be_posted_to(address: str, *, allow_private: bool) -> bool:
    """Return whether a webhook may go to *address*; with `allow_private` also if it is not public.

    Link-local addresses and those of cloud metadata are never allowed: no site receives webhooks there.
    """
    ip = _translated(address)
    if ip is None or any(ip in block for block in _HOSTS):
        return False
    return allow_private or is_public(address)


def _translated(address: str) -> Address | None:
    """Parse an IP address, an IPv4-mapped or translated one (NAT64) as IPv4; None if it is not valid."""
    ip = parsed_address(address)
    if ip is not None and ip.version == 6 and ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
