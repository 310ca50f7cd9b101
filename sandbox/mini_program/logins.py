"""The codes of `wx.login`; each works once, for its mini program (wechat-protocol.md 11). Time is an argument."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.account import MiniProgram
from sandbox.errors import Refused
from sandbox.people import Person

KEPT: Final = 10_000
"""How many codes are stored; the oldest are dropped first."""
_LIFETIME: Final = 300
_REQUIRED: Final = {"appid": 41002, "secret": 41004, "js_code": 41008}


@dataclass(slots=True)
class _Login:
    appid: str
    person: Person
    expires_at: float
    used: bool = False


class Logins:
    """The logins of all mini programs."""

    def __init__(self) -> None:
        self.blocked: set[str] = set()
        """The ids of people whom WeChat takes for high-risk users."""
        self._logins: dict[str, _Login] = {}

    def code(self, person: Person, program: MiniProgram, *, now: float) -> str:
        """Return a new code, as `wx.login` does."""
        code = secrets.token_urlsafe(24)
        self._logins[code] = _Login(program.appid, person, now + _LIFETIME)
        if len(self._logins) > KEPT:
            del self._logins[next(iter(self._logins))]
        return code

    def exchange(self, asked: Mapping[str, str], program: MiniProgram | None, *, now: float) -> Person:
        """Use up the code that `program` asks with, None being an unknown one; raise Refused."""
        for name, errcode in _REQUIRED.items():
            if not asked.get(name):
                raise Refused(errcode)
        if asked.get("grant_type") != "authorization_code":
            raise Refused(40002)
        if program is None:
            raise Refused(40013)
        if asked["secret"] != program.secret:
            raise Refused(40125)
        login = self._logins.get(asked["js_code"])
        if login is None or login.appid != program.appid or now >= login.expires_at:
            raise Refused(40029)
        if login.used:
            raise Refused(40163)
        login.used = True
        if login.person.id in self.blocked:
            raise Refused(40226)
        return login.person
