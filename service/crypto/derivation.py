"""Derives keys from configured ones with HKDF-SHA256: one context, one key."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(key: str, context: str, *, size: int = 32) -> bytes:
    """Return *size* bytes that only this *key* and *context* lead to."""
    info = f"scanbind 1 {context}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=info).derive(key.encode())
