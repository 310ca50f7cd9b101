"""Access tokens of applications in WeCom (wechat-protocol.md 7). Time is an argument."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sandbox.account import WeComApp
from sandbox.errors import Refused

LIFETIME: Final = 7200


@dataclass(frozen=True, slots=True)
class _Token:
    app: WeComApp
    value: str = field(repr=False)
    expires_at: float


class Tokens:
    """The tokens of all applications: each has one, the same on every call until it expires or is revoked."""

    def __init__(self) -> None:
        self._current: dict[WeComApp, _Token] = {}
        self._issued: dict[str, _Token] = {}

    def issue(self, asked: Mapping[str, str], apps: Sequence[WeComApp], *, now: float) -> dict[str, object]:
        """Answer `gettoken`; raise Refused."""
        for name, missing in (("corpid", 41002), ("corpsecret", 41004)):
            if not asked.get(name):
                raise Refused(missing)
        own = [app for app in apps if app.corpid == asked["corpid"]]
        if not own:
            raise Refused(40013)
        app = next((app for app in own if app.secret == asked["corpsecret"]), None)
        if app is None:
            raise Refused(40001)
        token = self._current.get(app)
        if token is None or now >= token.expires_at:
            token = _Token(app, secrets.token_urlsafe(160), now + LIFETIME)
            self._current[app] = self._issued[token.value] = token
        left = int(token.expires_at - now)
        return {"errcode": 0, "errmsg": "ok", "access_token": token.value, "expires_in": left}

    def app_of(self, value: str | None, *, now: float) -> WeComApp:
        """Return whose token it is; raise Refused when it is not valid."""
        if not value:
            raise Refused(41001)
        token = self._issued.get(value)
        if token is None:
            raise Refused(40014)
        if now >= token.expires_at:
            raise Refused(42001)
        return token.app

    def revoke(self, app: WeComApp) -> None:
        """Make the token of the application invalid before its time."""
        token = self._current.pop(app, None)
        if token:
            del self._issued[token.value]
