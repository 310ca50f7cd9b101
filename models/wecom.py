"""How identities in WeCom are stored: members by userid, outsiders by openid (contract.md 8.5). Values; no I/O.

Both stand in the column of openids. An outsider's is marked, so no openid can be taken for a userid
(docs/adr/0034).
"""

import re
from dataclasses import dataclass
from typing import Final

from models.events import OUTSIDER, OpenId

_USERID: Final = re.compile(r"[0-9A-Za-z][!-~]{0,63}")
_OPENID: Final = re.compile(r"[!-~]{1,63}")


@dataclass(frozen=True, slots=True)
class Names:
    """What WeChat calls a person, as sites and operators read it; one of both is None."""

    openid: str | None
    userid: str | None


def of_member(userid: str) -> OpenId:
    """Return what is stored of a member. Raises ValueError.

    WeCom ignores the case of a userid, and writes it as it was entered last: it is folded before it is compared.
    """
    if not _USERID.fullmatch(userid):
        raise ValueError("not a userid")
    return OpenId(userid.casefold())


def of_outsider(openid: str) -> OpenId:
    """Return what is stored of a person who is no member. Raises ValueError."""
    if not _OPENID.fullmatch(openid):
        raise ValueError("not an openid")
    return OpenId(OUTSIDER + openid)


def is_outsider(stored: OpenId) -> bool:
    """Tell whether the person is no member of the enterprise."""
    return stored.startswith(OUTSIDER)


def names_of(stored: OpenId, appid: str | None) -> Names:
    """Return openid and userid of a stored identity; *appid* is the one it belongs to, of WeCom the CorpID."""
    if is_outsider(stored):
        return Names(stored.removeprefix(OUTSIDER), None)
    # A CorpID begins with ww and an AppID with wx.
    return Names(None, stored) if (appid or "").startswith("ww") else Names(stored, None)


def forms_of(openid: OpenId) -> tuple[OpenId, OpenId]:
    """Return how an openid may be stored: as it is, and as an outsider's."""
    return openid, OpenId(OUTSIDER + openid)
