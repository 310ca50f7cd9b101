"""Faults that the sandbox can inject into pushes, `sns` calls, messages and pictures (wechat-protocol.md 9)."""

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


class PictureFault(StrEnum):
    """What is wrong with a person's picture while it is switched on."""

    NO_PICTURE = "no_picture"
    """The address is empty, as that of a person without a picture."""
    OTHER_HOST = "other_host"
    """The address is of a host that is not WeChat's."""
    PRIVATE_ADDRESS = "private_address"
    """The address is of a cloud's metadata service."""
    MISSING = "missing"
    """Answered with 404."""
    REDIRECT = "redirect"
    """Redirected to another address, where it is."""
    SLOW = "slow"
    """Sent byte by byte, over minutes."""
    LONG = "long"
    """Followed by 20 MiB, of no length told before."""
    NOT_A_PICTURE = "not_a_picture"
    """A page with the content type of a picture."""
    WRONG_TYPE = "wrong_type"
    """A picture with the content type of a text."""
    SVG = "svg"
    """A drawing with a script."""
    BOMB = "bomb"
    """A PNG of 20 KiB that unpacks to 144 million pixels."""
    TRUNCATED = "truncated"
    """The first half of the file."""
    ANIMATED = "animated"
    """A GIF of two frames, the second of another colour."""


class MessageFault(StrEnum):
    """What happens to all customer messages of an account while it is switched on."""

    BUSY = "busy"
    """Answered with errcode -1."""
    MINUTE_QUOTA = "minute_quota"
    """Answered with errcode 45011."""
    NOT_FOLLOWING = "not_following"
    """Answered with errcode 43004."""
    NO_PERMISSION = "no_permission"
    """Answered with errcode 48001."""
    CUT = "cut"
    """Shown in the chat, but the connection is closed without an answer."""


MESSAGE_REFUSALS: Final = {
    MessageFault.BUSY: -1,
    MessageFault.MINUTE_QUOTA: 45011,
    MessageFault.NOT_FOLLOWING: 43004,
    MessageFault.NO_PERMISSION: 48001,
}
"""Fault -> errcode."""
