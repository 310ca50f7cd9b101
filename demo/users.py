"""The shop's accounts. They are kept in memory and end with the process."""

import hashlib
from asyncio import to_thread
from dataclasses import dataclass, field
from functools import partial
from secrets import compare_digest, token_urlsafe
from typing import Final

from demo.phones import folded

READY: Final = {
    "anna": "13900000001",
    "ben": "13900000002",
}  # initial users and their numbers; each name is the password
MOST: Final = 10_000
GUESSES: Final = 10  # wrong passwords of one user
GUESS_TIME: Final = 600  # seconds that they count
scrypt: Final = partial(hashlib.scrypt, n=2**14, r=8, p=1)


@dataclass(frozen=True, slots=True)
class User:
    id: str = ""  # sent to scanbind; never reused for another user, as a name might be
    name: str = ""
    digest: bytes = b""  # of the password, salted with the id; empty: there is none
    number: str = ""  # of the phone, proved by a code; empty: there is none

    @property
    def needs_wechat(self) -> bool:
        """Whether WeChat is the only way to sign in."""
        return not (self.digest or self.number)


def _ready() -> dict[str, User]:
    return {name: User(name, name, scrypt(name.encode(), salt=name.encode()), READY[name]) for name in READY}


@dataclass(slots=True)
class Users:
    by_id: dict[str, User] = field(default_factory=_ready)
    wrong: list[tuple[float, str]] = field(default_factory=list)  # time of each wrong password, and the user's id

    async def with_password(self, name: str, password: str, *, now: float) -> User | None:
        """Return the user with this name, or number, and this password; None, too, after too many wrong ones."""
        user = self._find("name", name) or self._find("number", folded(name)) or User()
        self.wrong = [one for one in self.wrong if now - one[0] < GUESS_TIME]
        guess = (now, user.id)
        allowed = [of for _, of in self.wrong].count(user.id) < GUESSES
        if allowed:
            self.wrong.append(guess)  # before the wait, so that guesses at once count, too
        digest = await to_thread(scrypt, password.encode(), salt=user.id.encode())  # without a user, too
        if not (allowed and compare_digest(digest, user.digest)):
            return None
        self.wrong.remove(guess)
        return user

    def with_number(self, number: str) -> User | None:
        return self._find("number", number)

    async def add(self, name: str, *, password: str = "", number: str = "") -> User | None:
        """Return a new user; None if the name or number is taken, or there are too many users."""
        salt = token_urlsafe()
        digest = await to_thread(scrypt, password.encode(), salt=salt.encode()) if password else b""
        # Nothing is awaited from here on: of two requests for one name the second finds it taken.
        taken = self._find("number", number) if number else self._find("name", name)
        if taken or len(self.by_id) >= MOST:
            return None
        return self.by_id.setdefault(salt, User(salt, name, digest, number))

    def _find(self, key: str, value: str | None) -> User | None:
        # Many users have no number: nothing typed must not find one of them.
        return next((user for user in self.by_id.values() if value and getattr(user, key) == value), None)
