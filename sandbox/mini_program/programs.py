"""The mini programs of a sandbox: what people do with them, and what WeChat tells their back ends."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from sandbox.account import MiniProgram
from sandbox.emulator import Sandbox
from sandbox.errors import Refused, Unknown
from sandbox.mini_program.codes import CODE_PATH, ProgramCode, ProgramCodes
from sandbox.mini_program.logins import Logins
from sandbox.people import Person
from sandbox.tokens import TokenStore

_ADDRESS: Final = re.compile(rf"(?:.*{CODE_PATH})?([0-9a-f]{{24}})")


class MiniPrograms:
    """Mini programs beside the Official Accounts of a sandbox.

    `user` is a Person or its id, `program` an appid. Methods raise Unknown for what does not exist; those that
    answer a call of a back end raise Refused.
    """

    def __init__(self, sandbox: Sandbox, programs: Sequence[MiniProgram] = ()) -> None:
        self.logins = Logins()
        self._sandbox = sandbox
        self._programs = {one.appid: one for one in programs}
        self._codes = {one.appid: ProgramCodes(one) for one in programs}
        sandbox.app_tokens.update({one.appid: TokenStore(one) for one in programs})

    @property
    def programs(self) -> list[MiniProgram]:
        return list(self._programs.values())

    def publish(self, program: MiniProgram) -> None:
        """Replace the mini program with this appid: its pages, or the address that it calls."""
        self._programs[self._known(program.appid)] = program

    def get(self, program: str) -> MiniProgram:
        return self._programs[self._known(program)]

    def codes(self, program: str) -> ProgramCodes:
        return self._codes[self._known(program)]

    def shown(self) -> list[ProgramCode]:
        """Return the newest codes of all mini programs, newest first."""
        found = [code for codes in self._codes.values() for code in codes.shown()]
        return sorted(found, key=lambda code: code.created_at, reverse=True)

    def code(self, text: str) -> ProgramCode:
        """Return the code with this id or address."""
        name = _ADDRESS.fullmatch(text.strip())
        found = (codes.get(name[1]) for codes in self._codes.values()) if name else ()
        for code in found:
            if code:
                return code
        raise Unknown(f"no code of a mini program {text[:128]!r}")

    def opened(self, text: str) -> dict[str, str]:
        """Return what scanning a code, or opening a plain scheme link, opens: appid, page, scene and version."""
        if text.startswith("weixin://dl/business/?"):
            given = {name: values[0] for name, values in parse_qs(urlsplit(text).query).items()}
            scene = parse_qs(given.get("query", "")).get("scene", [""])[0]
            program, version = self.get(given.get("appid", "")), given.get("env_version", "release")
            return _opened(program, given.get("path", program.pages[0]), scene, version)
        code = self.code(text)
        return _opened(self.get(code.appid), code.page, code.scene, code.env_version)

    def login(self, user: Person | str, program: str) -> str:
        """Return the code that `wx.login` gives the mini program."""
        return self.logins.code(self._sandbox.people.get(user), self.get(program), now=self._sandbox.clock())

    def block(self, user: Person | str, *, on: bool) -> None:
        """Take the user for a high-risk one, or end it."""
        person = self._sandbox.people.get(user)
        (self.logins.blocked.add if on else self.logins.blocked.discard)(person.id)

    # -- calls of back ends -------------------------------------------------------------------------------------

    def create_code(self, method: str, asked: Mapping[str, str], body: bytes) -> ProgramCode:
        """Answer `getwxacodeunlimit`."""
        now, tokens = self._sandbox.clock(), self._sandbox.app_tokens
        if method != "POST":
            raise Refused(43002)
        if not (token := asked.get("access_token")):
            raise Refused(41001)
        appid = next((appid for appid in self._programs if tokens[appid].is_issued(token)), None)
        if appid is None:
            raise Refused(40001)
        tokens[appid].check(token, now=now)
        return self._codes[appid].create(body, public_url=self._sandbox.public_url, now=now)

    def session(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Answer `jscode2session`; a success has no errcode."""
        program = self._programs.get(asked.get("appid", ""))
        person = self.logins.exchange(asked, program, now=self._sandbox.clock())
        unionid = self._sandbox.unionids.of(person, program.open_platform) if program else None
        return {
            "session_key": secrets.token_urlsafe(18),
            "openid": person.openid(asked["appid"]),
            **({"unionid": unionid} if unionid else {}),
        }

    def _known(self, program: str) -> str:
        if program not in self._programs:
            raise Unknown(f"no mini program {program!r}")
        return program


def _opened(program: MiniProgram, page: str, scene: str, version: str) -> dict[str, str]:
    return {"appid": program.appid, "name": program.name, "page": page, "scene": scene, "env_version": version}
