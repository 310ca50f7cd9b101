"""The origin of a web address. An address that two parsers might read differently has none."""

import re
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
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")
