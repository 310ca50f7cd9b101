"""The unionids of people in the accounts of the Open Platform (wechat-protocol.md 4, 6). No I/O."""

import re
import secrets
from typing import Final

from sandbox.errors import Impossible
from sandbox.people import Person

_FORM: Final = re.compile(r"[!-~]{1,64}")


class UnionIds:
    """What each Open Platform account tells of people; it is named by a word, and None is the lack of one."""

    def __init__(self) -> None:
        self._changed: dict[tuple[str, str], str] = {}
        self._withheld: set[tuple[str, str]] = set()

    def of(self, person: Person, open_platform: str | None) -> str | None:
        """Return the person's unionid; None without an Open Platform account, and while it is withheld."""
        if open_platform is None or (person.id, open_platform) in self._withheld:
            return None
        return self._changed.get((person.id, open_platform)) or person.unionid(open_platform)

    def withhold(self, person: Person, open_platform: str) -> None:
        """Tell no unionid until `disclose`."""
        self._withheld.add((person.id, open_platform))

    def disclose(self, person: Person, open_platform: str) -> None:
        self._withheld.discard((person.id, open_platform))

    def change(self, person: Person, open_platform: str, *, to: str | None) -> None:
        """Replace the unionid, by a random one when `to` is None; raise Impossible when `to` is malformed."""
        unionid = f"o{secrets.token_urlsafe(20)}" if to is None else checked("unionid", to)
        self._changed[person.id, open_platform] = unionid


def checked(name: str, value: str) -> str:
    """Return the value of the field `name`; raise Impossible for one that WeChat would not use."""
    if not _FORM.fullmatch(value):
        raise Impossible(f"{name}: must have 1 to 64 visible ASCII characters")
    return value
