"""The QR codes of one account: creation, quota and lookup (wechat-protocol.md 2). Time is an argument."""

import json
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from sandbox.account import OfficialAccount
from sandbox.errors import Refused
from sandbox.quota import Quota

LONGEST: Final = 2_592_000
SHORTEST_GIVEN: Final = 60
"""The lifetime when the request gives none, in seconds."""
PERMANENT_CODES: Final = 100_000
KEPT: Final = 20_000
"""How many temporary QR codes are stored; the oldest are dropped first, because a sandbox may run for months."""
_UINT32: Final = 2**32 - 1
_ALPHABET: Final = string.ascii_letters + string.digits
_CODE_PATH: Final = re.compile(r"/q/(02[0-9A-Za-z]+)/?$")


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code that was created."""

    id: str
    """The last part of its address: `02` and letters."""
    appid: str
    ticket: str
    url: str
    scene: str
    """The EventKey of its pushes; `0` when the request contained no scene."""
    created_at: float
    lifetime: int | None
    """Seconds; None for a permanent code."""
    own: bool = False
    """The account's own QR code, which its console shows: without a scene, and known to no push."""

    def expired(self, *, now: float) -> bool:
        return self.lifetime is not None and now >= self.created_at + self.lifetime


def _str_scene(value: object, *, permanent: bool, strict: bool) -> str:
    if not isinstance(value, str) or not value or (len(value) > 64 and (strict or permanent)):
        raise Refused(40053)
    return value


def _int_scene(value: object, *, permanent: bool, strict: bool) -> str:
    most = PERMANENT_CODES if permanent else _UINT32
    if type(value) is not int or value < 1 or (value > most and (strict or permanent)):
        raise Refused(40053)
    return str(min(value, most))  # WeChat was observed to replace larger ints by 2**32-1


@dataclass(frozen=True, slots=True)
class _Action:
    key: str
    read: Callable[..., str]
    permanent: bool


_ACTIONS: Final = {
    "QR_SCENE": _Action("scene_id", _int_scene, permanent=False),
    "QR_STR_SCENE": _Action("scene_str", _str_scene, permanent=False),
    "QR_LIMIT_SCENE": _Action("scene_id", _int_scene, permanent=True),
    "QR_LIMIT_STR_SCENE": _Action("scene_str", _str_scene, permanent=True),
}


def own_code(account: OfficialAccount, *, public_url: str) -> Code:
    """Return the QR code that leads to the account and nothing else."""
    address = f"{public_url}/r/{account.gh_id}"
    return Code(account.gh_id, account.appid, "", address, scene="", created_at=0.0, lifetime=None, own=True)


class CodeBook:
    """Creates and finds the QR codes of one account."""

    def __init__(self, account: OfficialAccount) -> None:
        self._account = account
        self._calls = Quota(account.daily_codes)
        self._codes: dict[str, Code] = {}
        self._found_by: dict[str, Code] = {}
        self._permanent = 0

    def create(self, body: bytes, *, public_url: str, now: float) -> Code:
        """Answer `qrcode/create` with the JSON in `body`: create a QR code. Raises Refused."""
        if not self._account.allowed_qr:
            raise Refused(48001)
        asked = read_object(body)
        name = asked.get("action_name")
        action = _ACTIONS.get(name) if isinstance(name, str) else None
        if action is None:
            raise Refused(40052)
        scene = self._scene(asked.get("action_info"), action)
        lifetime = None if action.permanent else _lifetime(asked.get("expire_seconds"))
        self._calls.use(now=now)
        if action.permanent and self._permanent >= PERMANENT_CODES:
            raise Refused(45029)
        self._permanent += action.permanent
        return self._keep(scene, lifetime, public_url=public_url, now=now)

    def clear_quota(self) -> None:
        """Allow as many QR codes as at the beginning of the day."""
        self._calls = Quota(self._account.daily_codes)

    def find(self, text: str) -> Code | None:
        """Return the QR code with this id, address or ticket, or the newest with this scene."""
        return self._found_by.get(_bare(text.strip()))

    def shown(self, *, now: float, limit: int = 50) -> list[Code]:
        """Return the QR codes that have not expired, newest first."""
        alive = (code for code in reversed(self._codes.values()) if not code.expired(now=now))
        return [code for code, _ in zip(alive, range(limit), strict=False)]

    def _scene(self, info: object, action: _Action) -> str:
        if not isinstance(info, dict):
            raise Refused(40053)
        if "scene" not in info:
            return "0"  # as in WeChat, the request succeeds without a scene (wechat-protocol.md 2)
        scene = info["scene"]
        if not isinstance(scene, dict):
            raise Refused(40053)
        strict = self._account.strict_scene
        return action.read(scene.get(action.key), permanent=action.permanent, strict=strict)

    def _keep(self, scene: str, lifetime: int | None, *, public_url: str, now: float) -> Code:
        name = "02" + "".join(secrets.choice(_ALPHABET) for _ in range(20))
        code = Code(
            id=name,
            appid=self._account.appid,
            ticket=secrets.token_urlsafe(72),  # 96 characters
            url=f"{public_url}/q/{name}",
            scene=scene,
            created_at=now,
            lifetime=lifetime,
        )
        self._codes[code.id] = code
        self._found_by.update(dict.fromkeys((code.scene, code.ticket, code.id), code))
        if len(self._codes) > KEPT + self._permanent:
            self._forget_oldest()
        return code

    def _forget_oldest(self) -> None:
        oldest = next(code for code in self._codes.values() if code.lifetime is not None)
        del self._codes[oldest.id]
        for key in (oldest.scene, oldest.ticket, oldest.id):
            if self._found_by.get(key) is oldest:
                del self._found_by[key]


def read_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`; raise Refused 47001 when it is not one."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise Refused(47001) from e
    if not isinstance(value, dict):
        raise Refused(47001)
    return value


def _lifetime(asked: object) -> int:
    if asked is None:
        return SHORTEST_GIVEN
    if type(asked) is not int or asked < 1:
        raise Refused(40053)
    return min(asked, LONGEST)


def _bare(text: str) -> str:
    if match := _CODE_PATH.search(text):
        return match[1]
    if "/cgi-bin/showqrcode?" in text:
        return parse_qs(urlsplit(text).query).get("ticket", [""])[0]
    return text
