"""Where other machines on the local network find this one. Sends nothing."""

import errno
import ipaddress
import socket
from typing import Final

_ELSEWHERE: Final = "192.0.2.1"
"""An address kept for documentation (RFC 5737): nobody is there, but the way there has a beginning."""


def own_address() -> str:
    """Return this machine's address of IPv4 on the network it reaches others by.

    Connecting a UDP socket only chooses a route; no packet leaves.

    Raises:
        OSError: the machine is on no network, or only on its own.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE, 9))
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
