"""The sockets of the demo's sites, and their addresses for browsers on this machine or on the local network."""

import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from service.server import lan_address

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - compared here, and listened on only with --lan
"""The host of a socket that listens on all addresses."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The addresses of the three sites for browsers, without a trailing slash."""

    shop: str
    phone: str
    service: str
    shared: bool
    """Whether other machines can reach them."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; a port in use is replaced by a free one.

    Raises OSError: the host is not this machine's, or is an IPv6 address.
    """
    if ":" in host:
        # A content security policy cannot contain one (CSP 3, 2.3.1): the shop's page could not load the QR code.
        raise OSError(errno.EAFNOSUPPORT, "the demo needs an IPv4 address in SCANBIND_SERVER__HOST")
    try:
        return socket.create_server((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return socket.create_server((host, 0))


def browser_addresses(*, shop: socket.socket, phone: socket.socket, service: socket.socket, on_lan: bool) -> Demo:
    """Return the addresses for browsers: on the local network if it is used, else on this machine."""
    host = lan_address.own_address() if on_lan and _host(shop) == EVERYWHERE else None
    return Demo(
        shop=address(shop, host),
        phone=address(phone, host),
        service=address(service, host),
        shared=not ip_address(_host(shop)).is_loopback,
    )


def address(listening: socket.socket, host: str | None = None) -> str:
    """Return the URL of *listening* at *host*; without *host*, the URL on this machine."""
    own = "127.0.0.1" if _host(listening) == EVERYWHERE else _host(listening)
    return f"http://{host or own}:{port_of(listening)}"


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _host(listening: socket.socket) -> str:
    return str(listening.getsockname()[0])
