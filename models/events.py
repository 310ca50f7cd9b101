"""What WeChat can tell us. Values only; service/wechat/parsing.py makes them from bytes."""

import hashlib
from dataclasses import dataclass
from typing import Final, NewType

from models import base64url

OpenId = NewType("OpenId", str)
"""A person, as one Official Account sees them: 1-64 characters of A-Z a-z 0-9 _ -."""

_SHOWN: Final = 8
"""Characters, at most and never more than half: those at the beginning are the same for a whole account."""


def shortened(openid: str) -> str:
    """Return what may be written of an openid where people read it: its end, which names nobody by itself."""
    return "…" + openid[len(openid) - min(_SHOWN, len(openid) // 2) :]


def pseudonym(openid: OpenId) -> str:
    """Name a person where their openid must not stand: 22 characters of base64url, of its SHA-256.

    No key is needed: an openid holds about 160 random bits, so nobody can try them all.
    """
    return base64url.encode(hashlib.sha256(openid.encode()).digest())[:22]


@dataclass(frozen=True, slots=True)
class Push:
    """What every push carries (wechat-protocol.md 3.3)."""

    openid: OpenId
    gh_id: str
    """The account's own id (`gh_...`), which a reply must name as its sender."""
    created: int
    """CreateTime, whole seconds since 1970; two pushes may share one."""
    key: str
    """Tells one push of this person from another; the same for each redelivery (wechat-protocol.md 3.4)."""


@dataclass(frozen=True, slots=True)
class Scan(Push):
    """Somebody scanned a code that carries `scene`; `followed` when the scan made them a follower."""

    scene: str
    followed: bool


@dataclass(frozen=True, slots=True)
class Subscribed(Push):
    """Somebody followed the account without a code of ours (search, card, payment)."""


@dataclass(frozen=True, slots=True)
class Unsubscribed(Push):
    """Somebody left the account; they cannot be answered any more."""


@dataclass(frozen=True, slots=True)
class TextMessage(Push):
    """Somebody typed, or tapped a link that types: `text` as sent."""

    text: str


@dataclass(frozen=True, slots=True)
class Other(Push):
    """Anything else; answered politely and ignored."""


Event = Scan | Subscribed | Unsubscribed | TextMessage | Other
