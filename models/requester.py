"""Sanitizes the requester's details that the chat shows: replies render links (docs/adr/0004).

A User-Agent is mapped to one of a few names, an IP address is parsed and formatted again, and an account name
loses all characters of markup and text direction.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from models.ip_address import parsed_node


@dataclass(frozen=True, slots=True)
class Requester:
    """The requester's details as the chat shows them. Only in Redis, except for a bind's account name."""

    browser: str | None = None
    address: str | None = None
    account_name: str | None = None
    state: str | None = None


# The first match names the browser, so a browser that also sends the token of another comes before it: WeCom sends
# WeChat's, apps and most browsers of China send Chrome's or Safari's.
_BROWSERS: Final = (
    ("wxwork/", "WeCom"),
    ("MicroMessenger/", "WeChat"),
    ("DingTalk/", "DingTalk"),
    ("Lark/", "Lark"),
    ("AlipayClient/", "Alipay"),
    (" QQ/", "QQ"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("360SE", "360"),
    ("360EE", "360"),
    ("QIHU", "360"),
    ("MetaSr", "Sogou"),
    ("UCBrowser/", "UC Browser"),
    ("Quark/", "Quark"),
    ("baiduboxapp/", "Baidu"),
    ("BIDUBrowser/", "Baidu"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("VivoBrowser/", "vivo Browser"),
    ("HeyTapBrowser/", "OPPO Browser"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Trident/", "Internet Explorer"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
MARKUP: Final = frozenset("<>&/\\:")
"""Characters of links, and of addresses that the chat turns into links."""
_LONGEST_NAME: Final = 64


def cleaned_requester(
    *,
    ip: str | None = None,
    user_agent: str | None = None,
    account_name: str | None = None,
    state: str | None = None,
) -> Requester:
    """Return the requester's details, safe to show in the chat. What cannot be shown is None."""
    return Requester(
        browser=browser(user_agent or ""),
        address=address(ip or ""),
        account_name=cleaned_name(account_name or ""),
        state=state,
    )


def browser(user_agent: str) -> str | None:
    """Return the names of the browser and its system from fixed tables; None if neither is known."""
    found = [next((name for token, name in table if token in user_agent), None) for table in (_BROWSERS, _SYSTEMS)]
    return " · ".join(filter(None, found)) or None


def address(ip: str) -> str | None:
    """Return an IP address, which may have a port, in its standard form; None if it is not valid."""
    parsed = parsed_node(ip)
    return parsed.compressed if parsed else None


def cleaned_name(text: str) -> str | None:
    """Return *text* without markup, control, format and bidi characters, cut to 64 characters."""
    name = visible("".join(c for c in text if c not in MARKUP))
    return (name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…") or None


def visible(text: str) -> str:
    """Return *text* on one line, without control, format and bidi characters."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())
