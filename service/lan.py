"""Where other machines on the local network find this one. Sends nothing."""

import errno
import ipaddress
import socket
from typing import Final

_ELSEWHERE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses kept for documentation (RFC 5737, RFC 3849): nobody is there, but the way there has a beginning."""


def own_address(family: socket.AddressFamily = socket.AF_INET) -> str:
    """Return this machine's address on the network it reaches others by.

    Connecting a UDP socket only chooses a route; no packet leaves.

    Raises:
        OSError: the machine is on no network, or only on its own.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))
            found = str(probe.getsockname()[0])
    except OSError as e:
        raise _alone() from e
    if not reachable(found):
        raise _alone()
    return found


def reachable(address: str) -> bool:
    """Tell whether others can reach an IP address: not the loopback's, a link-local one or none at all."""
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)


def _alone() -> OSError:
    return OSError(
        errno.ENETUNREACH,
        "this machine has no address on a local network: connect it to one, or name one in SCANBIND_SERVER__HOST",
    )
