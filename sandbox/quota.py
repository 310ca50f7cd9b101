"""Quotas per day or minute. Time is an argument."""

from dataclasses import dataclass
from typing import Final

from sandbox.errors import Refused

MINUTE: Final = 60
DAY: Final = 86_400
MONTH: Final = 30 * DAY
_BEIJING: Final = 8 * 3600
"""WeChat's days begin at midnight in Beijing."""


@dataclass(slots=True)
class Quota:
    """At most `limit` uses in each `period` of seconds; further ones raise Refused with `errcode`."""

    limit: int
    period: int = DAY
    errcode: int = 45009
    used: int = 0
    window: int = -1

    def use(self, *, now: float) -> None:
        """Count one use; raise Refused when none is left."""
        window = int(now + _BEIJING) // self.period
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.limit:
            raise Refused(self.errcode)
        self.used += 1
