"""Finds this machine's address on the local network, without sending a packet."""

import errno
import ipaddress
import socket
from typing import Final

_DOCUMENTATION_HOST: Final = "192.0.2.1"
"""An address reserved for documentation (RFC 5737): no host has it, but the system has a route to it."""


def own_address() -> str:
    """Return this machine's IPv4 address on the network of its default route.

    Connecting a UDP socket only selects a route; no packet is sent.

    Raises:
        OSError: the machine has no address on a network.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((_DOCUMENTATION_HOST, 9))
            found = str(probe.getsockname()[0])
    except OSError as e:
        raise _no_network() from e
    if not reachable(found):
        raise _no_network()
    return found


def reachable(address: str) -> bool:
    """Tell whether other machines can reach an IP address: it is not loopback, link-local or unspecified."""
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)


def _no_network() -> OSError:
    return OSError(
        errno.ENETUNREACH,
        "this machine has no address on a local network: connect it to one, or name one in SCANBIND_SERVER__HOST",
    )
