"""Base64url without padding (RFC 4648, 5): the text form of keys, MACs and hashes."""

import base64


def encode(raw: bytes) -> str:
    """Return *raw* as A-Z a-z 0-9 - _, four characters for three bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes whose `encode` is *text*. Raises ValueError when there are none."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:  # the library passes over foreign characters, padding and stray bits
        raise ValueError("not base64url")
    return raw
