"""How many customer messages a person's doings allow (wechat-protocol.md 4). Time is an argument."""

from dataclasses import dataclass, field
from typing import Final, Literal

from sandbox.errors import Refused

Doing = Literal["message", "click", "follow", "scan"]

_GRANTS: Final[dict[Doing, tuple[int, int]]] = {
    "message": (5, 48 * 3600),
    "click": (3, 60),
    "follow": (3, 60),
    "scan": (3, 60),
}
"""What the person did -> messages allowed, and for how many seconds."""


@dataclass(slots=True)
class Allowance:
    """What one account may still send to one person."""

    _left: dict[Doing, int] = field(default_factory=dict)
    _until: dict[Doing, float] = field(default_factory=dict)

    def grant(self, doing: Doing, *, now: float) -> None:
        """Count the doing; a new one of the same kind starts its grant afresh."""
        count, seconds = _GRANTS[doing]
        self._left[doing], self._until[doing] = count, now + seconds

    def revoke(self) -> None:
        """Allow nothing more: the person has left."""
        self._left.clear()
        self._until.clear()

    def spend(self, *, now: float) -> None:
        """Use one message up; raise Refused 45015 when no window is open, 45047 when the open ones are spent."""
        live = sorted((until, doing) for doing, until in self._until.items() if now < until)
        if not live:
            raise Refused(45015)
        usable = [doing for _, doing in live if self._left[doing] > 0]
        if not usable:
            raise Refused(45047)
        self._left[usable[0]] -= 1
