"""How openids and unionids are kept: in the clear, or sealed and found by a blind index. Knows no table.

A sealed text is base64url of a version (one byte, 1), a random nonce (12 bytes), AES-256-GCM's ciphertext and tag.
It is bound to its column, its account and what it is looked up by, so that no value can be put elsewhere.
"""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models import base64url
from models.errors import StoreUnavailable
from service.crypto.derivation import derive

CLEAR: Final = "clear"
"""Stands in the place of a key: what is written is not sealed while it comes first."""
BLIND: Final = "."
"""What a blind index begins with, and neither openid nor unionid does."""
_VERSION: Final = b"\x01"
_NONCE: Final = 12
_INDEX: Final = 24  # bytes: two people share one with a probability of 2**-192
_ID: Final = 6


class Column(StrEnum):
    """What is kept. A unionid is looked up across accounts, an openid within its own."""

    OPENID = "openid"
    UNIONID = "unionid"


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A text as it is kept: what it is looked up by and, unless that is the text itself, the sealed text."""

    lookup: str
    sealed: str | None


class _Key:
    """What is derived from one key; `id` says which one it is, and nothing of it."""

    def __init__(self, key: str) -> None:
        self.id = base64url.encode(derive(key, "encryption id", size=_ID))
        self._aead = AESGCM(derive(key, "encryption seal"))
        self._index = derive(key, "encryption index")

    def index(self, text: str, column: Column) -> str:
        digest = hmac.digest(self._index, f"{column}\0{text}".encode(), "sha256")
        return BLIND + base64url.encode(digest[:_INDEX])

    def seal(self, text: str, bound: bytes) -> str:
        nonce = os.urandom(_NONCE)
        return base64url.encode(_VERSION + nonce + self._aead.encrypt(nonce, text.encode(), bound))

    def open(self, sealed: str, bound: bytes) -> str:
        raw = base64url.decode(sealed)
        if raw[:1] != _VERSION:
            raise ValueError("not a layout of ours")
        nonce, rest = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
        return self._aead.decrypt(nonce, rest, bound).decode()


class FieldCipher:
    """The keys that openids and unionids are sealed with. With none, everything is kept in the clear."""

    def __init__(self, keys: Sequence[_Key | None]) -> None:
        self._keys = (*keys, *([] if None in keys else [None]))
        self._by_id = {key.id: key for key in self._keys if key}
        self.newest = self._keys[0].id if self._keys[0] else None
        """The id of the key that seals; None: what is written stays in the clear."""
        self.ids = frozenset(self._by_id)

    @classmethod
    def of(cls, keys: Sequence[str]) -> "FieldCipher":
        """Derive everything from *keys*, the newest first; `clear` among them is the place of no key."""
        return cls([None if key == CLEAR else _Key(key) for key in keys])

    def forms(self, text: str, column: Column) -> tuple[str, ...]:
        """Return everything that *text* may be looked up by, the newest first."""
        return tuple(_lookup(key, text, column) for key in self._keys)

    def keep(self, text: str, column: Column, *, account: str) -> StoredValue:
        """Return *text* as it is to be kept in a row of *account* that is sealed by `newest`."""
        key = self._keys[0]
        lookup = _lookup(key, text, column)
        return StoredValue(lookup, key.seal(text, _bound(column, account, lookup)) if key else None)

    def open(self, kept: StoredValue, column: Column, *, account: str, by: str | None) -> str:
        """Return the text that was kept in a row of *account* that is sealed by the key with the id *by*.

        Raises:
            StoreUnavailable: the key is not listed, or the value was changed or put there from elsewhere.
        """
        if by is None:
            return kept.lookup
        if (key := self._by_id.get(by)) is None:
            raise StoreUnavailable("encryption.keys: a row is sealed with a key that is not listed")
        try:
            return key.open(kept.sealed or "", _bound(column, account, kept.lookup))
        except (InvalidTag, ValueError) as e:
            raise StoreUnavailable("encryption.keys: a sealed row was changed and cannot be opened") from e


def _lookup(key: _Key | None, text: str, column: Column) -> str:
    return key.index(text, column) if key else text


def _bound(column: Column, account: str, lookup: str) -> bytes:
    return f"{column}\0{account}\0{lookup}".encode()
