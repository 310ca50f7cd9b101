"""Faults that the sandbox can inject into the delivery of a push (wechat-protocol.md 9, emulator checklist)."""

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    TWICE = "twice"
    """Delivered again after it was answered."""
    AT_ONCE = "at_once"
    """Delivered twice at the same moment."""
    LATE = "late"
    """Delivered two retry intervals after it happened."""
    OUT_OF_ORDER = "out_of_order"
    """Held until the next push of the same person has been delivered."""
    UNSIGNED = "unsigned"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - the name of a fault
    """Signed with a token that is not the account's."""
    WRONG_KEY = "wrong_key"
    """Signed well, encrypted with a key that is not the account's."""
    WRONG_APPID = "wrong_appid"
    """Signed and encrypted well, for another appid."""
    PLAINTEXT = "plaintext"
    """In the clear with a good `signature`, though the account encrypts: seeing one query string is enough."""


FORGERIES: Final = frozenset(
    {
        Fault.UNSIGNED,
        Fault.WRONG_TOKEN,
        Fault.WRONG_KEY,
        Fault.WRONG_APPID,
        Fault.PLAINTEXT,
    }
)
"""Those that WeChat would never send: delivered once, and nothing of them is seen in the chat."""

NEEDS_ENCRYPTION: Final = frozenset({Fault.WRONG_KEY, Fault.WRONG_APPID, Fault.PLAINTEXT})
