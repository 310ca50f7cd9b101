"""Methods: the ways in which a ticket learns who holds the phone; and what the identities belong to."""

from enum import StrEnum
from typing import Final


class Method(StrEnum):
    SCAN = "scan"
    LINK = "link"
    MINIPROGRAM = "miniprogram"
    PASSCODE = "passcode"
    WEBSITE = "website"
    H5 = "h5"
    WECOM = "wecom"


class IdentityKind(StrEnum):
    """What an identity belongs to (contract.md 8.5)."""

    OFFICIAL_ACCOUNT = "official_account"
    WEBSITE = "website"
    MINIPROGRAM = "miniprogram"
    WECOM = "wecom"


AVAILABLE: Final = frozenset({Method.SCAN})
"""The methods that this version has."""
REDIRECTS: Final = frozenset({Method.WEBSITE, Method.H5, Method.WECOM})
"""The browser goes to WeChat and comes back. With every other method another device answers."""
