"""The events that WeChat pushes. Values only; service/wechat/parsing.py parses them."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, NewType

from models import base64url

OpenId = NewType("OpenId", str)
"""WeChat's id of a person within one account or app: 1-64 characters of A-Z a-z 0-9 _ -.

Of WeCom, what models/wecom.py makes of a userid or openid.
"""

OUTSIDER: Final = ":"
"""Before the openid of a person who is no member of an enterprise in WeCom (models/wecom.py)."""

_CAPITAL: Final = re.compile("[A-Z]")
_SHOWN: Final = 8
"""Maximum number of characters shown, and never more than half. All openids of an account begin alike."""


def shortened(openid: str) -> str:
    """Return the end of an openid, for the audit log: enough to compare, too little to identify a person.

    Many userids of WeCom end alike, as in a domain. They have no capital letters: of such a text, the end of its
    pseudonym is returned.
    """
    name = openid.removeprefix(OUTSIDER)
    text = name if _CAPITAL.search(name) else pseudonym(OpenId(name))
    return "…" + text[len(text) - min(_SHOWN, len(text) // 2) :]


def pseudonym(openid: OpenId) -> str:
    """Return a stand-in for an openid where the openid itself must not be stored: 22 characters of its SHA-256.

    No key is needed: an openid has about 160 random bits, too many to try them all. A userid of WeCom can be
    tried (docs/adr/0034).
    """
    return base64url.encode(hashlib.sha256(openid.encode()).digest())[:22]


@dataclass(frozen=True, slots=True)
class Push:
    """The fields of every push (wechat-protocol.md 3.3)."""

    openid: OpenId
    gh_id: str
    """The account's original id (`gh_...`), the sender of a reply."""
    created: int
    """CreateTime, in whole seconds since 1970. Not unique."""
    key: str
    """Identifies the push among those of its sender; the same in each redelivery (wechat-protocol.md 3.4)."""


@dataclass(frozen=True, slots=True)
class Scan(Push):
    """A person scanned a QR code with `scene`; `followed` if that made them a follower."""

    scene: str
    followed: bool


@dataclass(frozen=True, slots=True)
class Subscribed(Push):
    """A person followed the account by other means than a QR code of the service (search, card, payment)."""


@dataclass(frozen=True, slots=True)
class Unsubscribed(Push):
    """A follower unsubscribed, and can no longer be sent a reply."""


@dataclass(frozen=True, slots=True)
class Revoked(Push):
    """A person withdrew what they had authorised on the account's web pages, or closed their WeChat."""

    appid: str
    closed: bool
    """They closed their WeChat."""
    named: bool
    """`openid` is this person's; else the push does not name the person, and it is the sender's."""


@dataclass(frozen=True, slots=True)
class TextMessage(Push):
    """A person sent a text, typed or by tapping a link in the chat."""

    text: str


@dataclass(frozen=True, slots=True)
class Other(Push):
    """Any other push: acknowledged and ignored."""


Event = Scan | Subscribed | Unsubscribed | Revoked | TextMessage | Other
