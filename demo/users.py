"""Who has an account at the shop. Knows names and password hashes, nothing of WeChat."""

import asyncio
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

NAME: Final = re.compile(r"[\w.-]{2,32}")
PASSWORD_LENGTH: Final = range(4, 129)
READY: Final = ("anna", "ben")
"""Accounts that are there from the start; each one's password and id are its name."""


@dataclass(frozen=True, slots=True)
class User:
    """One account. `id` is what scanbind is told; it is never given to another account."""

    id: str
    name: str
    salt: bytes
    digest: bytes


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def _make(name: str, password: str, *, user_id: str) -> User:
    salt = secrets.token_bytes(16)
    return User(user_id, name, salt, _digest(password, salt))


# Checked against when there is no such name, so that the time taken does not tell. No password has this digest.
_NOBODY: Final = User("", "", bytes(16), bytes(64))


class Users:
    """The accounts, in memory: a restart forgets all but the ready ones."""

    def __init__(self) -> None:
        self._by_id = {name: _make(name, name, user_id=name) for name in READY}
        self._by_name = {user.name: user for user in self._by_id.values()}

    def get(self, user_id: str) -> User | None:
        return self._by_id.get(user_id)

    async def add(self, name: str, password: str) -> User | None:
        """Return the new account; None when the name is taken.

        The id is random, not counted or made of the name: scanbind's bindings outlive this memory, and
        after a restart nobody may come into an earlier person's.

        Raises:
            ValueError: the name or the password is not of the form `NAME`, `PASSWORD_LENGTH`.
        """
        if not NAME.fullmatch(name) or len(password) not in PASSWORD_LENGTH:
            raise ValueError("name or password")
        user = await asyncio.to_thread(_make, name, password, user_id=uuid4().hex)
        if self._by_name.setdefault(name, user) is not user:
            return None
        self._by_id[user.id] = user
        return user

    async def check(self, name: str, password: str) -> User | None:
        """Return the account of *name* if this is its password."""
        user = self._by_name.get(name, _NOBODY)
        digest = await asyncio.to_thread(_digest, password[: PASSWORD_LENGTH.stop], user.salt)
        return user if hmac.compare_digest(digest, user.digest) else None
