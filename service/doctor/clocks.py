"""Compares the clocks of stores with this machine's."""

from collections.abc import Iterator
from typing import Final

from service.doctor.finding import Finding

_OFF: Final = 30.0
"""Seconds of difference that are a finding: as much as of WeChat's clock."""


def clock_finding(subject: str, off: float) -> Iterator[Finding]:
    """Yield a finding if this machine's clock is *off* seconds ahead of the store's, or behind it, by too much."""
    if abs(off) > _OFF:
        message = f"its clock is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} this machine's"
        yield Finding(None, subject, message, "synchronise both by NTP: expiry and times in logs differ")
