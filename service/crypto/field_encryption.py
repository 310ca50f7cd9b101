"""Encrypts what identifies people for the database. Optional: see `CLEAR`.

An encrypted value is a version byte (1), a random nonce (12 bytes), and the ciphertext and tag of AES-256-GCM.
Openids and unionids are looked up by a blind index and stored in base64url; their associated data are the column,
the account and the lookup value, so that a value cannot be moved to another row. Names and pictures are not looked
up; their associated data are the column and the row.
"""

import hmac
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models import base64url
from models.errors import StoreUnavailable
from service.crypto.derivation import derive

CLEAR: Final = "clear"
"""In place of a key: while it comes first, values are stored in the clear."""
BLIND: Final = "."
"""The first character of a blind index; no openid or unionid begins with it."""
_VERSION: Final = b"\x01"
_NONCE: Final = 12
_INDEX: Final = 24  # bytes: two values collide with a probability of 2**-192
_ID: Final = 6


class Column(StrEnum):
    """An encrypted column. A unionid is looked up across accounts, an openid within its own."""

    OPENID = "openid"
    UNIONID = "unionid"


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A stored value: the lookup value and, unless that is the text itself, the encrypted text."""

    lookup: str
    sealed: str | None


class _Key:
    """The keys derived from one configured key. `id` identifies it without revealing anything of it."""

    def __init__(self, key: str) -> None:
        self.id = base64url.encode(derive(key, "encryption id", size=_ID))
        self._aead = AESGCM(derive(key, "encryption seal"))
        self._index = derive(key, "encryption index")

    def index(self, text: str, column: Column) -> str:
        digest = hmac.digest(self._index, f"{column}\0{text}".encode(), "sha256")
        return BLIND + base64url.encode(digest[:_INDEX])

    def seal(self, content: bytes, associated: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._aead.encrypt(nonce, content, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        if sealed[:1] != _VERSION:
            raise ValueError("unknown version")
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        return self._aead.decrypt(nonce, rest, associated)


class FieldCipher:
    """Encrypts and decrypts values; without configured keys, they stay in the clear."""

    def __init__(self, keys: Sequence[_Key | None]) -> None:
        self._keys = (*keys, *([] if None in keys else [None]))
        self._by_id = {key.id: key for key in self._keys if key}
        self.newest = self._keys[0].id if self._keys[0] else None
        """The id of the key that encrypts new values; None: they are stored in the clear."""
        self.ids = frozenset(self._by_id)
        self.forms_each = len(self._keys)
        """How many lookup values each text has, see `forms`."""

    @classmethod
    def of(cls, keys: Sequence[str]) -> "FieldCipher":
        """Derive the cipher from *keys*, newest first; `clear` among them stands for no key."""
        return cls([None if key == CLEAR else _Key(key) for key in keys])

    def forms(self, text: str, column: Column) -> tuple[str, ...]:
        """Return all lookup values under which *text* may be stored, newest key first."""
        return tuple(_lookup(key, text, column) for key in self._keys)

    def keep(self, text: str, column: Column, *, account: str) -> StoredValue:
        """Return *text* as stored in a row of *account*, encrypted with the newest key."""
        key = self._keys[0]
        lookup = _lookup(key, text, column)
        if key is None:
            return StoredValue(lookup, None)
        return StoredValue(lookup, base64url.encode(key.seal(text.encode(), _associated(column, account, lookup))))

    def open(self, stored: StoredValue, column: Column, *, account: str, by: str | None) -> str:
        """Return the text of a value stored in a row of *account* and encrypted with the key of id *by*.

        Raises:
            StoreUnavailable: the key is not listed, or the value was modified or moved from another row.
        """
        if by is None:
            return stored.lookup
        with _changed_rows():
            sealed = base64url.decode(stored.sealed or "")
            return self._key(by).open(sealed, _associated(column, account, stored.lookup)).decode()

    def seal(self, content: bytes, *, about: str) -> bytes:
        """Return *content* as stored in a column that is not looked up, encrypted with the newest key.

        *about* names the column and the row, so that a value cannot be moved to another one.
        """
        key = self._keys[0]
        return key.seal(content, about.encode()) if key else content

    def unseal(self, stored: bytes, *, about: str, by: str | None) -> bytes:
        """Return what `seal` stored with the key of id *by*. Raises: as `open`."""
        if by is None:
            return stored
        with _changed_rows():
            return self._key(by).open(stored, about.encode())

    def _key(self, by: str) -> _Key:
        if (key := self._by_id.get(by)) is None:
            raise StoreUnavailable("encryption.keys: a row is encrypted with a key that is not listed; add it")
        return key


@contextmanager
def _changed_rows() -> Iterator[None]:
    try:
        yield
    except (InvalidTag, ValueError) as e:
        raise StoreUnavailable("encryption.keys: an encrypted row was changed and cannot be decrypted") from e


def _lookup(key: _Key | None, text: str, column: Column) -> str:
    return key.index(text, column) if key else text


def _associated(column: Column, account: str, lookup: str) -> bytes:
    return f"{column}\0{account}\0{lookup}".encode()
