"""Faults that the sandbox can inject into pushes and `sns` calls (wechat-protocol.md 9, emulator checklist)."""

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    TWICE = "twice"
    """Delivered again after it was answered."""
    AT_ONCE = "at_once"
    """Delivered twice at the same time."""
    LATE = "late"
    """Delivered two retry intervals late."""
    OUT_OF_ORDER = "out_of_order"
    """Held until the next push of the same person has been delivered."""
    UNSIGNED = "unsigned"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - the name of a fault
    """Signed with another token."""
    WRONG_KEY = "wrong_key"
    """Correctly signed, but encrypted with another key."""
    WRONG_APPID = "wrong_appid"
    """Correctly signed and encrypted, but for another appid."""
    PLAINTEXT = "plaintext"
    """Not encrypted, with a valid `signature`, which an attacker can copy from any query string of a push."""


FORGERIES: Final = frozenset(
    {
        Fault.UNSIGNED,
        Fault.WRONG_TOKEN,
        Fault.WRONG_KEY,
        Fault.WRONG_APPID,
        Fault.PLAINTEXT,
    }
)
"""Pushes that WeChat would never send: delivered once, without effect on the chat."""

NEEDS_ENCRYPTION: Final = frozenset({Fault.WRONG_KEY, Fault.WRONG_APPID, Fault.PLAINTEXT})


class SnsFault(StrEnum):
    """What happens to all calls of `/sns/...` and of WeCom's `auth/getuserinfo` while it is switched on."""

    BUSY = "busy"
    """Answered with errcode -1."""
    DAY_QUOTA = "day_quota"
    """Answered with errcode 45009."""
    MINUTE_QUOTA = "minute_quota"
    """Answered with errcode 45011."""
    SLOW = "slow"
    """Done, but answered late."""
    AWAY = "away"
    """The connection is closed before anything is done."""
    CUT = "cut"
    """Done, but the connection is closed without an answer: a code is used up."""


SNS_REFUSALS: Final = {SnsFault.BUSY: -1, SnsFault.DAY_QUOTA: 45009, SnsFault.MINUTE_QUOTA: 45011}
"""Fault -> errcode."""
