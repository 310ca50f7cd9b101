"""Checks of hosts, web addresses and origins. Messages never quote the value."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from yarl import URL

from models.ip_address import is_public, may_be_posted_to
from models.web_origin import origin_of
from service.config.fault import Fault

HOST: Final = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])"
PORT: Final = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
HOST_PORT: Final = rf"{HOST}(?::{PORT})?"

ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with settings
"""All addresses of this machine."""
_CHARACTER: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
_PATH: Final = rf"(?:/{_CHARACTER}*)?"
# Port 0 stands in the default of server.public_url while server.port is 0.
_WEB: Final = re.compile(rf"(?i:https?)://({HOST})(?::(?:0|{PORT}))?{_PATH}")
_PLACE: Final = re.compile(rf"({HOST}):(?:0|{PORT})")
_WITH_QUERY: Final = re.compile(rf"https?://({HOST})(?::{PORT})?{_PATH}(?:\?(?:{_CHARACTER}|\?)*)?")
_LONGEST_RETURN_URL: Final = 2000
_LONGEST_WEBHOOK: Final = 2048
_ORIGIN: Final = re.compile(rf"https?://({HOST})(?::0*{PORT})?")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LOCAL_NAMES: Final = re.compile(r"[^.]+|.+\.(?:localhost|local|internal|lan|home\.arpa)\.?", re.IGNORECASE)
_LOCAL: Final = tuple(
    ip_network(block)
    for block in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


def is_host(text: str) -> bool:
    """Return whether *text* is an address, with an IPv6 one in brackets, or a name that a resolver accepts."""
    if text.startswith("["):
        return _ip(text) is not None
    labels = text.removesuffix(".").split(".")
    if not all(1 <= len(label) <= 63 for label in labels):
        return False
    # A number as the last label makes browsers and resolvers read an address, such as 127.1, in ways of their own.
    return not _NUMBER.fullmatch(labels[-1]) or _ip(text) is not None


def is_place(text: str) -> bool:
    """Return whether *text*, which matches HOST_PORT, names such a host."""
    found = re.match(HOST, text)
    return found is not None and is_host(found[0])


def is_local(host: str) -> bool:
    """Return whether *host* is one of this machine or of a private network."""
    address = _ip(host)
    if address is None:
        return _LOCAL_NAMES.fullmatch(host) is not None
    return any(address in block for block in _LOCAL)


def is_loopback(host: str) -> bool:
    """Return whether *host*, with or without brackets, is this machine."""
    address = _ip(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def listening_host(value: str) -> str:
    """Check an address to listen on. Raises Fault."""
    named = re.fullmatch(HOST, value) and is_host(value)
    if value.startswith("[") or not (named or _ip(value)):
        raise Fault(
            "must be an address of this machine, such as 0.0.0.0, :: or localhost, "
            "without scheme, port and brackets"
        )
    return value


def listening_place(value: str) -> str:
    """Check an address and a port to listen on, such as `[::1]:9090`. Raises Fault."""
    found = _PLACE.fullmatch(value)
    if not (found and is_host(found[1])):
        raise Fault(
            "must be an address of this machine and a port, such as 127.0.0.1:9090, [::1]:9090 or 0.0.0.0:9090"
        )
    return value


def split_place(place: str) -> tuple[str, int]:
    """Return the host of *place*, without brackets, and its port."""
    host, _, port = place.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


_ADDED: Final = {"code", "state", "error"}
"""What is added to the query of an address to which a browser returns (contract.md 8.3)."""
_SIGNED: Final = {"signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature", "echostr"}
"""What is added to the query of an address that gets pushes (wechat-protocol.md 3.2)."""


def web_address(value: str) -> str:
    """Check an http or https address, and remove slashes from its end. Raises Fault."""
    found = _WEB.fullmatch(value)
    if not (found and is_host(found[1])):
        raise Fault("must be an address such as https://login.example, without user, password, query and fragment")
    return value.rstrip("/")


def safe_web_address(value: str) -> str:
    """Check an address as `web_address` does, and that it is https or on this machine. Raises Fault."""
    address = web_address(value)
    _check_encrypted(address)
    return address


def return_url(value: str) -> str:
    """Check an address to which browsers return; it is compared as text, query and all. Raises Fault."""
    _host_of(value, example="https://shop.example/login/done", longest=_LONGEST_RETURN_URL)
    _check_encrypted(value)
    if taken := sorted(_ADDED & URL(value).query.keys()):
        raise Fault(f"must not contain {' and '.join(taken)} in its query, where the result is added")
    return value


def webhook_url(value: str, *, allow_private: bool) -> str:
    """Check an address to which events are posted; its query is kept. Raises Fault.

    A name that is not local may still resolve to a private address: that is checked at each connection.
    """
    host = _host_of(value, example="https://shop.example/webhooks", longest=_LONGEST_WEBHOOK)
    if not (allow_private or value.startswith("https:")):
        raise Fault("must be https, unless allow_private is true")
    literal = _ip(host)
    if literal is not None and not may_be_posted_to(str(literal), allow_private=True):
        raise Fault("must not be a link-local address or one of cloud metadata")
    private = is_local(host) if literal is None else not is_public(str(literal))
    if private and not allow_private:
        raise Fault("must not be an address of this machine or of a private network, unless allow_private is true")
    return value


def _host_of(value: str, *, example: str, longest: int) -> str:
    """Return the host of an address that may have a query. Raises Fault."""
    found = _WITH_QUERY.fullmatch(value) if len(value) <= longest else None
    if not (found and is_host(found[1])):
        raise Fault(
            f"must be an address such as {example}, without user, password and fragment, "
            f"of {longest} characters at most"
        )
    return found[1]


def target_url(value: str) -> str:
    """Check an address to which pushes are passed on, query and all. Raises Fault."""
    _host_of(value, example="http://127.0.0.1:8888/wechat", longest=_LONGEST_RETURN_URL)
    if taken := sorted(_SIGNED & URL(value).query.keys()):
        raise Fault(f"must not contain {' and '.join(taken)} in its query, where the signature is added")
    return value


def origin(value: str) -> str:
    """Serialize an origin as browsers do, because it is compared as text. Raises Fault."""
    found = _ORIGIN.fullmatch(value.lower()) if value.isascii() else None
    serialized = origin_of(value) if found and is_host(found[1]) else None
    if serialized is None:
        raise Fault("must be an origin such as https://shop.example: scheme, host and port, nothing after them")
    return serialized


def _check_encrypted(address: str) -> None:
    url = URL(address)
    if url.scheme != "https" and not is_loopback(url.host or ""):
        raise Fault("must be https: only an address of this machine may be http")


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
