"""Key derivation with HKDF-SHA256: one key per context."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(key: str, context: str, *, size: int = 32) -> bytes:
    """Derive *size* bytes from *key* for *context*."""
    info = f"scanbind 1 {context}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=info).derive(key.encode())
