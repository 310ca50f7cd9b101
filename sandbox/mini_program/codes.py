"""The codes of one mini program (wechat-protocol.md 11). Time is an argument.

A code is permanent, and their number is not limited.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.account import MiniProgram
from sandbox.codes import read_object
from sandbox.errors import Refused
from sandbox.quota import MINUTE, Quota

KEPT: Final = 20_000
"""How many codes are stored; the oldest are dropped first, because a sandbox may run for months."""
CODE_PATH: Final = "/m/"
_SCENE: Final = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@._~-]{1,32}")
_VERSIONS: Final = ("release", "trial", "develop")
_NARROWEST, _WIDEST, _USUAL = 280, 1280, 430


@dataclass(frozen=True, slots=True)
class ProgramCode:
    """A code that opens a page of a mini program."""

    id: str
    appid: str
    url: str
    """What the sandbox draws. WeChat's own codes have a form that only WeChat reads."""
    scene: str
    page: str
    env_version: str
    width: int
    created_at: float


class ProgramCodes:
    """Creates and finds the codes of one mini program."""

    def __init__(self, program: MiniProgram) -> None:
        self.calls = Quota(5000, period=MINUTE)
        self.release_known = True
        """False: no page of the release is found, as was observed for a day after it (wechat-protocol.md 11)."""
        self._program = program
        self._codes: dict[str, ProgramCode] = {}

    def create(self, body: bytes, *, public_url: str, now: float) -> ProgramCode:
        """Answer `getwxacodeunlimit` with the JSON in `body`: create a code. Raises Refused."""
        asked = _object(body)
        scene = asked.get("scene")
        if not isinstance(scene, str) or not _SCENE.fullmatch(scene):
            raise Refused(40169)
        page, (version, width) = self._page(asked), _look(asked)
        self.calls.use(now=now)
        name = secrets.token_hex(12)
        url = f"{public_url}{CODE_PATH}{name}"
        self._codes[name] = ProgramCode(name, self._program.appid, url, scene, page, version, width, now)
        if len(self._codes) > KEPT:
            del self._codes[next(iter(self._codes))]
        return self._codes[name]

    def get(self, name: str) -> ProgramCode | None:
        return self._codes.get(name)

    def shown(self, *, limit: int = 50) -> list[ProgramCode]:
        """Return the newest codes, newest first."""
        return [code for code, _ in zip(reversed(self._codes.values()), range(limit), strict=False)]

    def _page(self, asked: Mapping[str, object]) -> str:
        page = asked.get("page", self._program.pages[0])
        if not isinstance(page, str) or page.startswith("/") or "?" in page:
            raise Refused(41030)
        released = self.release_known and page in self._program.pages
        if asked.get("check_path", True) is not False and not released:
            raise Refused(41030)
        return page


def _object(body: bytes) -> Mapping[str, object]:
    try:
        return read_object(body)
    except Refused as e:
        raise Refused(40169) from e


def _look(asked: Mapping[str, object]) -> tuple[str, int]:
    """Return the version that opens, and the width in pixels."""
    version, width = asked.get("env_version", _VERSIONS[0]), asked.get("width", _USUAL)
    if version not in _VERSIONS or type(width) is not int or not _NARROWEST <= width <= _WIDEST:
        raise Refused(40097)
    return str(version), width
