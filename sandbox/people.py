"""Who has WeChat, and how each stands with each account. No I/O, no clock."""

import base64
import hashlib
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from sandbox.chat import Message, Piece, Side, pieces
from sandbox.codes import Code
from sandbox.customer_message_quota import Allowance
from sandbox.errors import Unknown

KEPT_MESSAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with WeChat on their phone."""

    id: str
    """What the phone page calls them; no account ever sees it."""
    nickname: str
    language: str = "zh_CN"
    unionid: str | None = None
    """Given to accounts only when set: as if the account were bound to an Open Platform account."""

    def openid(self, appid: str) -> str:
        """Return the person as that account knows them: the same each time, another for each account."""
        digest = hashlib.sha256(f"{appid} {self.id}".encode()).digest()
        return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


@dataclass(slots=True)
class Contact:
    """One person as one account has them: following or not, and the chat."""

    person: Person
    appid: str
    openid: str
    following: bool = False
    since: float = 0
    how: str = "ADD_SCENE_OTHERS"
    """`subscribe_scene` of user/info."""
    scene: str = ""
    """Scene of the code they followed by."""
    pending: Code | None = None
    """Scanned, and waiting for the person to tap follow."""
    allowance: Allowance = field(default_factory=Allowance)
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    _lines: int = 0

    def write(self, side: Side, text: str, *, now: float) -> Message:
        """Add a line to the chat; only what the account says can hold links."""
        self._lines += 1
        shown = pieces(text) if side == "account" else (Piece(text),)
        message = Message(self._lines, now, side, text, shown)
        self.messages.append(message)
        return message

    def link(self, name: str) -> Piece:
        """Return the newest tappable link of the chat with this id (`message.piece`), content or label.

        Raises Unknown.
        """
        for message in reversed(self.messages):
            for number, piece in enumerate(message.pieces):
                if piece.says and name in (f"{message.id}.{number}", piece.says, piece.text):
                    return piece
        raise Unknown(f"the chat holds no link {name!r}")


class People:
    """Everybody there is."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}

    def add(self, nickname: str, *, language: str, unionid: str | None) -> Person:
        """Make somebody new; the id is fresh, so that nobody inherits the bindings of an earlier run."""
        person = Person(f"u_{secrets.token_hex(6)}", nickname, language, unionid)
        self._people[person.id] = person
        return person

    def get(self, user: Person | str) -> Person:
        """Return the person; raise Unknown."""
        person = self._people.get(user if isinstance(user, str) else user.id)
        if person is None:
            raise Unknown(f"no WeChat user {user!r}")
        return person

    def all(self) -> list[Person]:
        """Return everybody, in the order they were made."""
        return list(self._people.values())
