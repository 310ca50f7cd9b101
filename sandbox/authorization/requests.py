"""Reads the addresses by which a site asks for authorization (wechat-protocol.md 5, 6). No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urldefrag, urlencode, urlsplit

from sandbox.account import App, OfficialAccount, Website, WeComApp

Scope = Literal["snsapi_login", "snsapi_base", "snsapi_userinfo"]

_ORDER: Final = ("appid", "redirect_uri", "response_type", "scope", "state")
_EMPTY: Final = {"appid": 10012, "redirect_uri": 10011, "scope": 10010}
STATE: Final = re.compile(r"[A-Za-z0-9]{0,128}")
_ADDRESS: Final = re.compile(r"https?://[^\x00-\x20\x7f\\]+")
_SCOPES: Final[Mapping[str, tuple[Scope, ...]]] = {
    "none": (),
    "base": ("snsapi_base",),
    "userinfo": ("snsapi_base", "snsapi_userinfo"),
}


class Unusable(Exception):
    """WeChat shows a page with this reason instead of asking the person; `number` is its error number, if any."""

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.number = number


@dataclass(frozen=True, slots=True)
class Request:
    """What a site asks for, and where it wants the answer."""

    app: App | WeComApp
    redirect_uri: str
    scope: Scope
    state: str

    def answered(self, code: str | None) -> str:
        """Return the address that gives the site its code; with None the state alone, as after a refusal.

        Of a fragment, the login at websites makes a part of the query, and pages inside WeChat lose it
        (wechat-protocol.md 5, 6).
        """
        base = self.redirect_uri if isinstance(self.app, Website) else urldefrag(self.redirect_uri).url
        given = {"code": code} if code else {}
        return f"{base}{'&' if '?' in base else '?'}{urlencode({**given, 'state': self.state})}"


def read_website(query: str, apps: Mapping[str, App]) -> Request:
    """Return the request of a `qrconnect` address with this query, as it was sent; raise Unusable."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    app = apps.get(asked.get("appid", ""))
    if not isinstance(app, Website):
        raise Unusable("AppID 参数错误")
    if asked.get("response_type") != "code":
        raise Unusable("response_type 参数错误")
    if asked.get("scope") != "snsapi_login":
        raise Unusable("Scope 参数错误或没有 Scope 权限")
    redirect_uri = asked.get("redirect_uri", "")
    if not is_at(redirect_uri, app.domain):
        raise Unusable("redirect_uri 参数错误")
    return Request(app, redirect_uri, "snsapi_login", asked.get("state", ""))


def read_inside(query: str, apps: Mapping[str, App]) -> Request:
    """Return the request of an `oauth2/authorize` address with this query, as it was sent; raise Unusable."""
    pairs = parse_qsl(query, keep_blank_values=True)
    asked = dict(pairs)
    for name, number in _EMPTY.items():
        if not asked.get(name):
            raise Unusable(f"{name} 不能为空", number)
    check_order(pairs, _ORDER)
    app = apps.get(asked["appid"])
    if not isinstance(app, OfficialAccount):
        raise Unusable("AppID 参数错误")
    if asked.get("response_type") != "code":
        raise Unusable("response_type 参数错误")
    scope = next((scope for scope in _SCOPES[app.oauth] if scope == asked["scope"]), None)
    if scope is None:
        raise Unusable("该公众号没有这些 scope 的权限", 10005)
    if not is_at(asked["redirect_uri"], app.oauth_domain):
        raise Unusable("redirect_uri 域名与后台配置不一致", 10003)
    state = asked.get("state", "")
    if not STATE.fullmatch(state):
        raise Unusable("state 参数错误")
    return Request(app, asked["redirect_uri"], scope, state)


def check_order(pairs: Sequence[tuple[str, str]], order: Sequence[str]) -> None:
    """Raise Unusable unless the known parameters come first, each once, as WeChat's expression wants them."""
    names = [name for name, _ in pairs]
    known = [name for name in order if name in names]
    if names[: len(known)] != known or set(names[len(known) :]) & set(known):
        raise Unusable(f"参数顺序必须是 {'、'.join(order)}")


def is_web_address(text: str) -> bool:
    """Return whether a browser can be sent to this text."""
    return _ADDRESS.fullmatch(text) is not None


def is_at(address: str, domain: str) -> bool:
    """Return whether a browser can be sent to this address, and its host is the domain."""
    try:
        return is_web_address(address) and urlsplit(address).hostname == domain
    except ValueError:  # such as an unclosed bracket
        return False
