"""What a site's back end proves itself by. Who is unknown or wrong takes as long as who is right.

Secrets are compared by their SHA-256. Such a fast hash is enough for secrets with 256 random bits, which is what
`scanbind keys new client` makes: there is nothing to guess, however fast one guesses (docs/adr/0011).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from models import base64url
from service.config.settings import MOST_SECRETS, Client

_NOBODY: Final = "sha256:" + "A" * 43
"""What stands where a client has no more secrets: a hash nobody knows a secret for."""


def fresh_secret() -> str:
    """Return a new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(secret: bytes) -> str:
    """Return how `secret_hash` writes *secret*: `sha256:` and 43 characters of base64url."""
    return "sha256:" + base64url.encode(hashlib.sha256(secret).digest())


class ClientSecrets:
    """The back ends' secrets, of which only hashes are held."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._hashes = {name: _padded(*_hashes(client)) for name, client in clients.items()}

    def __contains__(self, client: str) -> bool:
        return client in self._hashes

    def prove(self, client: str, secret: bytes) -> bool:
        """Tell whether *secret* is one of *client*'s."""
        given = hash_of(secret)
        right = [hmac.compare_digest(given, due) for due in self._hashes.get(client, _padded())]
        return client in self and any(right)


def _hashes(client: Client) -> list[str]:
    configured = [one.get_secret_value() for one in client.secret_hash]
    return [*configured, *(hash_of(one.get_secret_value().encode()) for one in client.secret)]


def _padded(*hashes: str) -> tuple[str, ...]:
    """Fill up, so that as much is compared for every client, known or not."""
    return (*hashes, *[_NOBODY] * (2 * MOST_SECRETS - len(hashes)))
