"""The quota of customer messages that a person's actions open (wechat-protocol.md 4). Time is an argument."""

from dataclasses import dataclass, field
from typing import Final, Literal

from sandbox.errors import Refused

Action = Literal["message", "click", "follow", "scan"]

_GRANTS: Final[dict[Action, tuple[int, int]]] = {
    "message": (5, 48 * 3600),
    "click": (3, 60),
    "follow": (3, 60),
    "scan": (3, 60),
}
"""Action of the person -> how many messages it allows, and for how many seconds."""


@dataclass(slots=True)
class Allowance:
    """How many messages one account may still send to one person."""

    _left: dict[Action, int] = field(default_factory=dict)
    _until: dict[Action, float] = field(default_factory=dict)

    def grant(self, action: Action, *, now: float) -> None:
        """Open the window of an action, or restart it."""
        count, seconds = _GRANTS[action]
        self._left[action], self._until[action] = count, now + seconds

    def revoke(self) -> None:
        """Close all windows, because the person unsubscribed."""
        self._left.clear()
        self._until.clear()

    def spend(self, *, now: float) -> None:
        """Use one message; raise Refused 45015 when no window is open, 45047 when the open ones are used up."""
        live = sorted((until, action) for action, until in self._until.items() if now < until)
        if not live:
            raise Refused(45015)
        usable = [action for _, action in live if self._left[action] > 0]
        if not usable:
            raise Refused(45047)
        self._left[usable[0]] -= 1
