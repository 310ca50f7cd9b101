"""Skips a target that keeps failing, so that not every message waits for its timeout. Knows no clock."""

from dataclasses import dataclass
from typing import Final

FAILURES: Final = 5
"""In a row."""
PAUSE: Final = 10.0
"""Seconds without calls; then one call tries whether it works again."""


@dataclass(slots=True)
class Breaker:
    """Counts the failures of one target. Times are of any monotonic clock, in seconds."""

    _failures: int = 0
    _closed_until: float = 0.0

    def lets(self, *, now: float) -> bool:
        """Return whether to call the target; after a pause, only the first caller is let through."""
        if self._failures < FAILURES:
            return True
        if now < self._closed_until:
            return False
        self._closed_until = now + PAUSE
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, *, now: float) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._closed_until = now + PAUSE
