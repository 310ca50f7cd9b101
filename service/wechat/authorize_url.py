"""Builds the addresses at which WeChat asks a person and returns to us (wechat-protocol.md 5, 6, 7). No I/O."""

from typing import Final
from urllib.parse import urlencode

from models.language import Lang
from models.web_authorization import Scope

_LANGS: Final = {Lang.ZH: "cn", Lang.EN: "en"}
_FRAGMENT: Final = "#wechat_redirect"


def website_login(
    open_base: str, *, appid: str, redirect_uri: str, state: str, lang: Lang, in_frame: bool = False
) -> str:
    """Return the address of a website application's login; *in_frame* keeps the return within the frame."""
    asked = _asked(appid, redirect_uri, Scope.LOGIN, state) | {"lang": _LANGS[lang]}
    if in_frame:
        asked |= {"login_type": "jssdk", "self_redirect": "true"}
    return f"{open_base}/connect/qrconnect?{urlencode(asked)}{_FRAGMENT}"


def inside_wechat(open_base: str, *, appid: str, redirect_uri: str, scope: Scope, state: str) -> str:
    """Return the address of an account's authorization, which works in WeChat's own browser alone."""
    # Without connect_redirect some phones return twice.
    asked = _asked(appid, redirect_uri, scope, state) | {"connect_redirect": "1"}
    return f"{open_base}/connect/oauth2/authorize?{urlencode(asked)}{_FRAGMENT}"


def wecom_login(
    open_base: str, *, corpid: str, agentid: int, redirect_uri: str, state: str, lang: Lang, in_frame: bool = False
) -> str:
    """Return the address of an application's login with WeCom; *in_frame* keeps the return within the frame."""
    asked = {
        "login_type": "CorpApp",
        "appid": corpid,
        "agentid": str(agentid),
        "redirect_uri": redirect_uri,
        "state": state,
        "lang": lang,
    }
    if in_frame:
        asked |= {"redirect_type": "self"}
    return f"{open_base}/wwlogin/sso/login?{urlencode(asked)}"


def inside_wecom(open_base: str, *, corpid: str, agentid: int, redirect_uri: str, state: str) -> str:
    """Return the address of an application's authorization in WeCom's own browser, which asks nothing."""
    asked = _asked(corpid, redirect_uri, Scope.BASE, state) | {"agentid": str(agentid)}
    return f"{open_base}/connect/oauth2/authorize?{urlencode(asked)}{_FRAGMENT}"


def _asked(appid: str, redirect_uri: str, scope: Scope, state: str) -> dict[str, str]:
    # WeChat demands this order.
    return {
        "appid": appid,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": scope,
        "state": state,
    }
