"""Authentication of sites' back ends by client secret, in equal time for an unknown client and a wrong secret.

Secrets are compared by their SHA-256. A fast hash is enough, because `scanbind keys new client` makes secrets of
256 random bits, which cannot be guessed (docs/adr/0011).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from models import base64url
from service.config.clients import Client
from service.config.types import MOST_SECRETS

_DUMMY: Final = "sha256:" + "A" * 43
"""A hash without a known secret, compared in place of secrets that a client does not have."""


def fresh_secret() -> str:
    """Return a new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(secret: bytes) -> str:
    """Hash *secret* as `secret_hash` contains it: `sha256:` and 43 characters of base64url."""
    return "sha256:" + base64url.encode(hashlib.sha256(secret).digest())


class ClientSecrets:
    """The hashes of all clients' secrets."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._hashes = {name: _padded(*_hashes(client)) for name, client in clients.items()}

    def __contains__(self, client: str) -> bool:
        return client in self._hashes

    def prove(self, client: str, secret: bytes) -> bool:
        """Return whether *secret* is one of *client*'s secrets."""
        given = hash_of(secret)
        equal = [hmac.compare_digest(given, known) for known in self._hashes.get(client, _padded())]
        return client in self and any(equal)


def _hashes(client: Client) -> list[str]:
    configured = [one.get_secret_value() for one in client.secret_hash]
    return [*configured, *(hash_of(one.get_secret_value().encode()) for one in client.secret)]


def _padded(*hashes: str) -> tuple[str, ...]:
    """Fill up with dummies, so that every client, known or not, costs the same number of comparisons."""
    return (*hashes, *[_DUMMY] * (2 * MOST_SECRETS - len(hashes)))
