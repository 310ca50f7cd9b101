"""WeChat users and their contacts with accounts. No I/O; time is an argument."""

import base64
import hashlib
import secrets
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from sandbox.chat import Message, Piece, Side, pieces
from sandbox.codes import Code
from sandbox.customer_message_quota import Allowance
from sandbox.errors import Unknown

KEPT_MESSAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Person:
    """A WeChat user."""

    id: str
    """The id in the control API; it is never sent to an account."""
    nickname: str
    language: str = "zh_CN"
    picture: int = 0
    """How often they have changed their picture."""

    def openid(self, appid: str) -> str:
        """Return the person's openid for the account: always the same, and different for each account."""
        return self._derived(appid)

    def unionid(self, open_platform: str) -> str:
        """Return the person's unionid in the Open Platform account until it is changed: different in each."""
        return self._derived(f"open platform {open_platform}")

    def virtual(self) -> "Person":
        """Return the person that a snapshot page tells of."""
        return replace(self, id=f"snapshot {self.id}")

    @property
    def phone_number(self) -> str:
        """The number of the person's phone: eleven digits, as mobile numbers of mainland China."""
        digest = hashlib.sha256(f"phone {self.id}".encode()).digest()
        return f"138{int.from_bytes(digest) % 10**8:08}"

    def _derived(self, scope: str) -> str:
        digest = hashlib.sha256(f"{scope} {self.id}".encode()).digest()
        return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


@dataclass(slots=True)
class Contact:
    """The relation of one person to one account: whether they follow it, and their chat."""

    person: Person
    appid: str
    openid: str
    following: bool = False
    since: float = 0
    how: str = "ADD_SCENE_OTHERS"
    """`subscribe_scene` of user/info."""
    scene: str = ""
    """The scene of the QR code by which they followed."""
    pending: Code | None = None
    """The QR code that was scanned when the person must follow the account first."""
    allowance: Allowance = field(default_factory=Allowance)
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    _lines: int = 0

    def write(self, side: Side, text: str, *, now: float) -> Message:
        """Add a message to the chat; only messages of the account may contain links."""
        self._lines += 1
        shown = pieces(text) if side == "account" else (Piece(text),)
        message = Message(self._lines, now, side, text, shown)
        self.messages.append(message)
        return message

    def link(self, name: str) -> Piece:
        """Return the newest link with this id (`message.piece`), content or label that sends a text.

        Raises Unknown.
        """
        for message in reversed(self.messages):
            for number, piece in enumerate(message.pieces):
                if piece.says and name in (f"{message.id}.{number}", piece.says, piece.text):
                    return piece
        raise Unknown(f"no link {name!r} in the chat")


def newcomer(nickname: str, *, language: str) -> Person:
    """Return a new person. The id is random, so that no person inherits the bindings of an earlier run."""
    return Person(f"u_{secrets.token_hex(6)}", nickname, language)


class People:
    """All WeChat users."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}

    def add(self, person: Person) -> None:
        self._people[person.id] = person

    def get(self, user: Person | str) -> Person:
        """Return the person; raise Unknown."""
        person = self._people.get(user if isinstance(user, str) else user.id)
        if person is None:
            raise Unknown(f"no WeChat user {user!r}")
        return person

    def all(self) -> list[Person]:
        """Return all people, in the order of their creation."""
        return list(self._people.values())
