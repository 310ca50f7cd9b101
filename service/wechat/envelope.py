"""Encrypts and decrypts with one EncodingAESKey (wechat-protocol.md 3.5). All faults are Malformed: no oracle."""

import base64
import re
import secrets
import struct
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from models.errors import Malformed

_KEY: Final = re.compile(r"[A-Za-z0-9]{43}")
_RANDOM: Final = 16
_LENGTH: Final = struct.Struct(">I")
_HEADER: Final = _RANDOM + _LENGTH.size
_BLOCK: Final = 32  # padding block; not the 16 bytes of AES, so the usual PKCS#7 unpadder fails


@dataclass(frozen=True, slots=True)
class Envelope:
    """The cipher of one key of one account."""

    cipher: Cipher[modes.CBC] = field(repr=False)
    appid: str

    @classmethod
    def of(cls, aes_key: str, *, appid: str) -> Self:
        """Decode the 43 characters shown in the console. Raises ValueError for anything else."""
        if not _KEY.fullmatch(aes_key):
            raise ValueError("an EncodingAESKey is 43 characters of A-Z a-z 0-9")
        # 43 characters are two bits too many, and real keys set them: a strict decoder would reject those
        key = base64.b64decode(aes_key + "=")
        return cls(Cipher(algorithms.AES(key), modes.CBC(key[:16])), appid)

    def seal(self, message: bytes, *, random: bytes | None = None) -> str:
        """Return `Encrypt` for *message*; *random* is 16 bytes, generated if not given."""
        salt = secrets.token_bytes(_RANDOM) if random is None else random
        if len(salt) != _RANDOM:
            raise ValueError("random must be 16 bytes")
        plain = salt + _LENGTH.pack(len(message)) + message + self.appid.encode()
        pad = _BLOCK - len(plain) % _BLOCK
        encryptor = self.cipher.encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()

    def open(self, encrypt: str) -> bytes:
        """Decrypt `Encrypt` and return the message. Raises Malformed if another key or appid encrypted it."""
        try:
            return self._open(encrypt)
        except (ValueError, struct.error) as fault:  # binascii.Error is a ValueError
            raise Malformed("envelope") from fault

    def _open(self, encrypt: str) -> bytes:
        sealed = base64.b64decode(encrypt.strip(), validate=True)
        if not sealed or len(sealed) % _BLOCK:
            raise ValueError("not whole blocks")
        decryptor = self.cipher.decryptor()
        content = _unpad(decryptor.update(sealed) + decryptor.finalize())
        (length,) = _LENGTH.unpack_from(content, _RANDOM)
        message, appid = content[_HEADER : _HEADER + length], content[_HEADER + length :]
        if appid != self.appid.encode():
            raise Malformed("appid")
        return message


def _unpad(padded: bytes) -> bytes:
    pad = padded[-1]
    if not 1 <= pad <= _BLOCK or padded[-pad:] != bytes([pad]) * pad:
        raise ValueError("padding")
    return padded[:-pad]
