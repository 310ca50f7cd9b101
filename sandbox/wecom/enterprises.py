"""Enterprises in WeCom: their applications, and what these learn of a person (wechat-protocol.md 7)."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.account import WeComApp
from sandbox.errors import Refused, Unknown
from sandbox.people import People, Person
from sandbox.wecom.members import Members
from sandbox.wecom.tokens import Tokens

KEPT: Final = 10_000
"""How many codes are stored; the oldest are dropped first."""
_CODE_LIFETIME: Final = 300


@dataclass(frozen=True, slots=True)
class _Code:
    app: WeComApp
    person: Person
    expires_at: float


class Enterprises:
    """The applications of all enterprises. `user` is a Person or its id; calls of an application raise Refused."""

    def __init__(self, apps: Sequence[WeComApp], *, people: People, clock: Callable[[], float]) -> None:
        self.apps = tuple(apps)
        self.members = Members()
        self.tokens = Tokens()
        self.is_older = False
        """Whether `getuserinfo` writes UserId and OpenId, as it did before."""
        self.trusted: set[str] | None = None
        """The addresses (企业可信IP) that may call; None: all."""
        self._people = people
        self._clock = clock
        self._codes: dict[str, _Code] = {}

    def app(self, corpid: str | None = None) -> WeComApp:
        """Return the first application of the enterprise, or of all when None; raise Unknown."""
        found = next((app for app in self.apps if corpid in (None, app.corpid)), None)
        if found is None:
            raise Unknown(f"no enterprise {corpid!r}")
        return found

    def find(self, corpid: str, agentid: str) -> WeComApp | None:
        """Return the application with this CorpID and AgentId."""
        return next((app for app in self.apps if (app.corpid, str(app.agentid)) == (corpid, agentid)), None)

    def enroll(self, user: Person | str, userid: str | None = None, *, corpid: str | None = None) -> str:
        """Make the user a member of an enterprise; return the userid. Raises as `Members.enroll`, and Unknown."""
        return self.members.enroll(self._people.get(user), self.app(corpid).corpid, userid)

    def dismiss(self, user: Person | str, *, corpid: str | None = None) -> None:
        """Make the user an outsider; raise Unknown."""
        self.members.dismiss(self._people.get(user), self.app(corpid).corpid)

    def userid(self, user: Person | str, *, corpid: str | None = None) -> str | None:
        """Return a member's userid, None for an outsider; raise Unknown."""
        return self.members.userid(self._people.get(user), self.app(corpid).corpid)

    def code(self, app: WeComApp, person: Person) -> str:
        """Return a new code, which names the person to this application once."""
        code = secrets.token_urlsafe(48)
        self._codes[code] = _Code(app, person, self._clock() + _CODE_LIFETIME)
        if len(self._codes) > KEPT:
            del self._codes[next(iter(self._codes))]
        return code

    def token(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Answer `gettoken`."""
        return self.tokens.issue(asked, self.apps, now=self._clock())

    def userinfo(self, asked: Mapping[str, str], *, caller: str) -> dict[str, object]:
        """Answer `auth/getuserinfo` to a call from this address. A refusal uses up no code."""
        app = self.tokens.app_of(asked.get("access_token"), now=self._clock())
        if self.trusted is not None and caller not in self.trusted:
            raise Refused(60020)
        code = self._codes.get(asked.get("code", ""))
        if code is None or code.app != app or self._clock() >= code.expires_at:
            raise Refused(40029)
        del self._codes[asked["code"]]
        userid = self.members.userid(code.person, app.corpid)
        name, value = ("userid", userid) if userid else ("openid", code.person.openid(app.corpid))
        if self.is_older:
            name = {"userid": "UserId", "openid": "OpenId"}[name]
        return {"errcode": 0, "errmsg": "ok", name: value}
