"""Codes and tokens of the `sns` calls (wechat-protocol.md 5, 6). Time is an argument.

A code works once, for its own app, within its lifetime.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.account import App
from sandbox.authorization.requests import Scope
from sandbox.errors import Refused
from sandbox.people import Person

KEPT: Final = 10_000
"""How many codes, and how many tokens, are stored; the oldest are dropped first."""
_CODE_LIFETIME: Final = {"snsapi_login": 600, "snsapi_base": 300, "snsapi_userinfo": 300}
_TOKEN_LIFETIME: Final = 7200
_REFRESH_LIFETIME: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed an app to know."""

    appid: str
    person: Person
    scope: Scope
    snapshot: bool = False
    """Whether the person is the virtual one of a snapshot page."""

    @property
    def openid(self) -> str:
        return self.person.openid(self.appid)


@dataclass(slots=True)
class _Code:
    grant: Grant
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class Token:
    """An access token with its refresh token."""

    grant: Grant
    refresh_token: str = field(repr=False)
    refresh_until: float
    value: str = field(repr=False)
    expires_at: float

    def answer(self, *, now: float) -> dict[str, object]:
        """Return what the exchange and the refresh have in common."""
        return {
            "access_token": self.value,
            "expires_in": int(self.expires_at - now),
            "refresh_token": self.refresh_token,
            "openid": self.grant.openid,
            "scope": self.grant.scope,
        }


class Grants:
    """The codes and tokens of all apps. `asked` are the parameters of a call; all calls raise Refused."""

    def __init__(self) -> None:
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, Token] = {}
        self._refreshed: dict[str, Token] = {}

    def code(self, grant: Grant, *, now: float) -> str:
        """Return a new code."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(grant, now + _CODE_LIFETIME[grant.scope])
        if len(self._codes) > KEPT:
            del self._codes[next(iter(self._codes))]
        return code

    def exchange(self, asked: Mapping[str, str], app: App | None, *, now: float) -> Token:
        """Use up the code that `app` asks with; None is an unknown app."""
        _check(asked, ("appid", 41002), ("secret", 41004), ("code", 41008))
        if asked.get("grant_type") != "authorization_code":
            raise Refused(40002)
        if app is None:
            raise Refused(40013)
        if asked["secret"] != app.secret:
            raise Refused(40125)
        code = self._codes.get(asked["code"])
        if code is None or code.grant.appid != app.appid:
            raise Refused(40029)
        if code.used:
            raise Refused(40163)
        if now >= code.expires_at:
            raise Refused(42003)
        code.used = True
        return self._issue(code.grant, now=now)

    def refresh(self, asked: Mapping[str, str], *, now: float) -> Token:
        """Extend the access token; one that has expired is replaced."""
        _check(asked, ("appid", 41002), ("refresh_token", 41003))
        if asked.get("grant_type") != "refresh_token":
            raise Refused(40002)
        token = self._refreshed.get(asked["refresh_token"])
        if token is None or token.grant.appid != asked["appid"]:
            raise Refused(40030)
        if now >= token.refresh_until:
            raise Refused(42002)
        if now >= token.expires_at:
            del self._tokens[token.value]
            token.value = _random()
            self._tokens[token.value] = token
        token.expires_at = now + _TOKEN_LIFETIME
        return token

    def token(self, asked: Mapping[str, str], *, now: float) -> Token:
        """Return the valid token of the openid that is asked about."""
        _check(asked, ("access_token", 41001), ("openid", 41009))
        token = self._tokens.get(asked["access_token"])
        if token is None:
            raise Refused(40001)
        if now >= token.expires_at:
            raise Refused(42001)
        if asked["openid"] != token.grant.openid:
            raise Refused(40003)
        return token

    def _issue(self, grant: Grant, *, now: float) -> Token:
        token = Token(grant, _random(), now + _REFRESH_LIFETIME, _random(), now + _TOKEN_LIFETIME)
        self._tokens[token.value] = self._refreshed[token.refresh_token] = token
        if len(self._refreshed) > KEPT:
            oldest = self._refreshed.pop(next(iter(self._refreshed)))
            del self._tokens[oldest.value]
        return token


def _check(asked: Mapping[str, str], *required: tuple[str, int]) -> None:
    for name, errcode in required:
        if not asked.get(name):
            raise Refused(errcode)


def _random() -> str:
    return secrets.token_urlsafe(66)
