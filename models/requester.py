"""Whatever a browser or a site sends towards the chat is cleaned first: a reply renders links (docs/adr/0004).

A browser becomes one of a few names, an address is parsed and written anew, an account's name loses every
character that could write markup or turn the text around.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from models.ip_address import parsed_address


# The first that is found in the header names the browser: those that pose as others stand before them.
@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, as the chat will name them. Lost with Redis, but for a bind's account name."""

    browser: str | None = None
    address: str | None = None
    account_name: str | None = None
    state: str | None = None


_BROWSERS: Final = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("QQBrowser", "QQ Browser"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_MARKUP: Final = frozenset("<>&/\\:")
"""What could write a link, or an address that a chat turns into one."""
_LONGEST_NAME: Final = 64


def cleaned_requester(
    *,
    ip: str | None = None,
    user_agent: str | None = None,
    account_name: str | None = None,
    state: str | None = None,
) -> Requester:
    """Return who asks, safe to show in a chat; what cannot be shown is None."""
    return Requester(
        browser=browser(user_agent or ""),
        address=address(ip or ""),
        account_name=cleaned_name(account_name or ""),
        state=state,
    )


def browser(user_agent: str) -> str | None:
    """Name a browser and its system from fixed tables; None when neither is known."""
    found = [next((known for sign, known in table if sign in user_agent), None) for table in (_BROWSERS, _SYSTEMS)]
    return " · ".join(filter(None, found)) or None


def address(ip: str) -> str | None:
    """Return an IP address written the standard way; None if it is none."""
    parsed = parsed_address(ip)
    return parsed.compressed if parsed else None


def cleaned_name(text: str) -> str | None:
    """Return a name without what writes links, control, format and bidi characters, at most 64 characters long."""
    folded = visible("".join(c for c in text if c not in _MARKUP))
    return (folded if len(folded) <= _LONGEST_NAME else folded[: _LONGEST_NAME - 1] + "…") or None


def visible(text: str) -> str:
    """Return *text* on one line, without control, format and bidi characters."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())
