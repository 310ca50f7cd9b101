"""Reads the addresses by which a site asks WeCom who a person is (wechat-protocol.md 7). No I/O."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from sandbox.account import WeComApp
from sandbox.authorization.requests import STATE, Request, Unusable, check_order, is_at
from sandbox.wecom.enterprises import Enterprises

_ORDER: Final = ("appid", "redirect_uri", "response_type", "scope", "state", "agentid")
_UNTRUSTED: Final = 50001


def read_login(query: str, enterprises: Enterprises) -> Request:
    """Return the request of a `wwlogin/sso/login` address with this query, as it was sent; raise Unusable."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if asked.get("login_type") != "CorpApp":
        raise Unusable("login_type 参数错误")
    return _request(asked, enterprises)


def read_in_wecom(query: str, enterprises: Enterprises) -> Request:
    """Return the request of an `oauth2/authorize` address that WeCom's browser opened; raise Unusable."""
    pairs = parse_qsl(query, keep_blank_values=True)
    check_order(pairs, _ORDER)
    asked = dict(pairs)
    if asked.get("response_type") != "code":
        raise Unusable("response_type 参数错误")
    if asked.get("scope") != "snsapi_base":
        raise Unusable("scope 参数错误")
    return _request(asked, enterprises)


def _request(asked: Mapping[str, str], enterprises: Enterprises) -> Request:
    app = enterprises.find(asked.get("appid", ""), asked.get("agentid", ""))
    if app is None:
        raise Unusable("appid 或 agentid 参数错误")
    redirect_uri, state = asked.get("redirect_uri", ""), asked.get("state", "")
    _check(redirect_uri, state, app)
    return Request(app, redirect_uri, "snsapi_base", state)


def _check(redirect_uri: str, state: str, app: WeComApp) -> None:
    if not is_at(redirect_uri, app.domain):
        raise Unusable("redirect_uri 与应用的可信域名不一致", _UNTRUSTED)
    if not STATE.fullmatch(state):
        raise Unusable("state 参数错误")
