"""Base64url without padding (RFC 4648, 5): the text form of keys, MACs and hashes."""

import base64


def encode(raw: bytes) -> str:
    """Encode *raw* with the alphabet A-Z a-z 0-9 - _: four characters for three bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Decode *text*. Raises ValueError unless it is exactly what `encode` returns for some bytes."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:  # the library ignores foreign characters, padding and stray bits
        raise ValueError("not base64url")
    return raw
