"""Opens and seals compact JWEs (RFC 7516) with `dir` and `A256GCM`, by the keys of clients (contract.md 9)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from models import base64url, strict_json
from service.config.clients import Client
from service.config.types import MOST_SECRETS

KEY_BYTES: Final = 32
_ALGORITHMS: Final = {"alg": "dir", "enc": "A256GCM"}
_REGISTRY: Final = jwe.JWERegistry(algorithms=tuple(_ALGORITHMS.values()))
# A header too short to nest deeply, no encrypted key, 12 bytes of nonce, ciphertext, 16 bytes of tag.
_COMPACT: Final = re.compile(rb"([A-Za-z0-9_-]{1,512})\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A compact JWE that is not opened yet. `kid` is the client that it claims to be from."""

    kid: str
    compact: bytes

    @classmethod
    def read(cls, compact: bytes) -> Self:
        """Read the header, which must have `alg`, `enc` and `kid` alone. Raises ValueError."""
        parts = _COMPACT.fullmatch(compact)
        if parts is None:
            raise ValueError("not a compact JWE")
        header = strict_json.loads(base64url.decode(parts[1].decode()).decode())
        kid = header.get("kid") if isinstance(header, dict) else None
        if not isinstance(kid, str) or header != {**_ALGORITHMS, "kid": kid}:
            raise ValueError("another header")
        return cls(kid, compact)


@dataclass(frozen=True, slots=True)
class Opened:
    """What *client* sealed, and the key that opened it."""

    client: str
    plaintext: bytes = field(repr=False)
    key: OctKey

    def seal(self, plaintext: bytes) -> str:
        """Return *plaintext* sealed for the same client with the same key."""
        return jwe.encrypt_compact({**_ALGORITHMS, "kid": self.client}, plaintext, self.key, registry=_REGISTRY)


class SealingKeys:
    """The sealing keys of all clients."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._dummies = _padded()
        self._keys = {
            name: _padded(*(base64url.decode(key.get_secret_value()) for key in client.sealing_key))
            for name, client in clients.items()
            if client.sealing_key
        }

    def __contains__(self, client: str) -> bool:
        return client in self._keys

    def open(self, envelope: Envelope) -> Opened | None:
        """Open *envelope* with the keys of its client; None if none does.

        Every client, known or not, costs the same number of attempts.
        """
        keys = self._keys.get(envelope.kid, self._dummies)
        opened = [_opened(envelope, key) for key in keys]
        return next(filter(None, opened), None)


def fresh_sealing_key() -> str:
    """Return a new key of 256 random bits."""
    return secrets.token_urlsafe(KEY_BYTES)


def _opened(envelope: Envelope, key: OctKey) -> Opened | None:
    try:
        content = jwe.decrypt_compact(envelope.compact, key, registry=_REGISTRY)
    except (JoseError, ValueError):  # ValueError for stray bits of base64url
        return None
    return Opened(envelope.kid, content.plaintext or b"", key)


def _padded(*keys: bytes) -> tuple[OctKey, ...]:
    """Return the keys, and random ones that open nothing in place of those that the client does not have."""
    random = (secrets.token_bytes(KEY_BYTES) for _ in range(MOST_SECRETS - len(keys)))
    return tuple(OctKey.import_key(key) for key in (*keys, *random))
