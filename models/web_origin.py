"""The origin of a web address. An address that two parsers might read differently has none."""

import re
from ipaddress import IPv6Address
from typing import Final

_PORTS: Final = {"http": 80, "https": 443}
# No userinfo; only ASCII letters, digits, dots and hyphens in the host; no backslash, space or control anywhere.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:[/?#][!-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)


def origin_of(address: str) -> str | None:
    """Return the origin of an http or https address as browsers serialize it, to be compared as text.

    None for anything else: each browser repairs malformed addresses in its own way.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if host.startswith("["):
        try:
            host = f"[{_serialized(IPv6Address(host[1:-1]))}]"
        except ValueError:
            return None
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")


def _serialized(ip: IPv6Address) -> str:
    """Return *ip* in groups alone: Python from 3.13 on ends a mapped IPv4 address in dots, browsers do not."""
    mapped = ip.ipv4_mapped
    return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}" if mapped else str(ip)
