"""WeChat's signature and message encryption (wechat-protocol.md 3.2, 3.5). No I/O."""

import base64
import binascii
import hashlib
import os
import struct
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK: Final = 32
"""WeChat pads to 32 bytes, though AES has blocks of 16."""
_LENGTH: Final = struct.Struct(">I")
_RANDOM_SIZE: Final = 16


class BadCipher(Exception):
    """WeChat would not accept this ciphertext; the message names the check that failed."""


def sign(*parts: str) -> str:
    """Return the SHA-1, in hex, of the parts sorted as bytes and concatenated."""
    return hashlib.sha1(b"".join(sorted(part.encode() for part in parts))).hexdigest()


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts and decrypts the messages of one account with one key."""

    key: bytes = field(repr=False)
    appid: str

    @classmethod
    def of(cls, aes_key: str, *, appid: str) -> Self:
        """Return the sealer for a key of 43 characters, which need not be canonical base64."""
        return cls(base64.b64decode(aes_key + "="), appid)

    def seal(self, message: bytes, *, random: bytes | None = None) -> str:
        """Return `Encrypt` for the message; `random` is 16 bytes, new ones when not given."""
        salt = os.urandom(_RANDOM_SIZE) if random is None else random
        plain = salt + _LENGTH.pack(len(message)) + message + self.appid.encode()
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, encrypted: str) -> bytes:
        """Return the message in `Encrypt`; raise BadCipher."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as e:
            raise BadCipher("Encrypt is not base64") from e
        if not sealed or len(sealed) % _RANDOM_SIZE:
            raise BadCipher("Encrypt is not a whole number of AES blocks")
        decryptor = self._cipher().decryptor()
        return self._unpack(decryptor.update(sealed) + decryptor.finalize())

    def _unpack(self, padded: bytes) -> bytes:
        pad = padded[-1]
        if not 1 <= pad <= BLOCK or padded[-pad:] != bytes([pad]) * pad:
            raise BadCipher("the padding is wrong: another key, or blocks of 16 instead of 32")
        plain = padded[_RANDOM_SIZE:-pad]
        if len(plain) < _LENGTH.size:
            raise BadCipher("too short to contain a length")
        (length,) = _LENGTH.unpack(plain[: _LENGTH.size])
        message, appid = plain[_LENGTH.size :][:length], plain[_LENGTH.size + length :]
        if appid != self.appid.encode():
            raise BadCipher("the appid inside is not this account's")
        return message

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES256(self.key), modes.CBC(self.key[:_RANDOM_SIZE]))
