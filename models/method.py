"""Methods: the ways in which a ticket learns who holds the phone; and what the identities belong to."""

from collections.abc import Mapping
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


KINDS: Final[Mapping[Method, IdentityKind]] = {
    Method.SCAN: IdentityKind.OFFICIAL_ACCOUNT,
    Method.LINK: IdentityKind.OFFICIAL_ACCOUNT,
    Method.MINIPROGRAM: IdentityKind.MINIPROGRAM,
    Method.PASSCODE: IdentityKind.OFFICIAL_ACCOUNT,
    Method.WEBSITE: IdentityKind.WEBSITE,
    Method.H5: IdentityKind.OFFICIAL_ACCOUNT,
    Method.WECOM: IdentityKind.WECOM,
}
"""What the identities belong to that each method learns."""
REDIRECTS: Final = frozenset({Method.WEBSITE, Method.H5, Method.WECOM})
"""The browser goes to WeChat and comes back. With every other method another device answers."""
