"""What the demo prints when it is ready."""

from typing import Final

from demo.shop import READY
from sandbox.kinds import Kind
from service.server.demo.addresses import Demo
from service.server.demo.kinds import KINDS


def announcement(where: Demo, kind: Kind) -> str:
    """Return the addresses of the demo, and what to do with the account of *kind*."""
    users, numbers = " or ".join(f"{name}/{name}" for name in READY), " or ".join(READY.values())
    return (
        f"scanbind demo is ready: {where.shop}/\n\n"
        f"  shop     {where.shop}/   sign in as {users}, or by SMS to {numbers}\n"
        f"  phone    {where.phone}/   the WeChat sandbox: scans the shop's QR codes, opens its pages\n"
        f"  service  {where.service}/\n\n"
        f"Ways to sign in: {where.shop}/ways   {KINDS[kind].what}\n"
        "SMS to all numbers: on the phone, below Pushes\n\n"
        f"{_SHARED if where.shared else ''}"
        "Press Ctrl-C to stop it.\n"
    )


_SHARED: Final = (
    "Every machine on this network can use all three while the demo runs.\n"
    "A phone on it can scan the shop's QR codes with its own camera.\n\n"
)
