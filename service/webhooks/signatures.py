"""Signatures of webhooks as Standard Webhooks 1.0 writes them. No I/O, no clock."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SECRET: Final = "whsec_"  # noqa: S105 - the beginning of every secret
_KEY: Final = "whsk_"
_PUBLIC_KEY: Final = "whpk_"
_BYTES: Final = 32
"""Length of a new secret, and of an ed25519 seed (RFC 8032)."""


class Signer(Protocol):
    """Signs one webhook."""

    @property
    def public_key(self) -> str | None:
        """`whpk_` and the base64 of the key that verifies; None if a shared secret does."""

    def sign(self, message_id: str, at: datetime, body: bytes) -> str:
        """Return one signature with its version. `at`: aware, in UTC, and signed to the second."""


class HmacSigner:
    """Signs with HMAC-SHA256 by a shared secret, `whsec_…` (version `v1`)."""

    public_key = None

    def __init__(self, secret: str) -> None:
        self._webhook = standardwebhooks.Webhook(secret)

    def sign(self, message_id: str, at: datetime, body: bytes) -> str:
        """Do as `Signer.sign`; *body* must be UTF-8."""
        return self._webhook.sign(message_id, at, body.decode())


class Ed25519Signer:
    """Signs with ed25519 by a seed, `whsk_…` (version `v1a`)."""

    def __init__(self, key: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.removeprefix(_KEY)))

    @property
    def public_key(self) -> str:
        """`whpk_` and the base64 of the public key."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _PUBLIC_KEY + base64.b64encode(raw).decode()

    def sign(self, message_id: str, at: datetime, body: bytes) -> str:
        """Do as `Signer.sign`."""
        signed = self._key.sign(f"{message_id}.{seconds(at)}.".encode() + body)
        return f"v1a,{base64.b64encode(signed).decode()}"


def signature_header(signers: Sequence[Signer], message_id: str, at: datetime, body: bytes) -> str:
    """Return the value of `webhook-signature`: a signature by each of *signers*, separated by spaces."""
    return " ".join(signer.sign(message_id, at, body) for signer in signers)


def seconds(at: datetime) -> str:
    """Return the value of `webhook-timestamp`: whole seconds since 1970."""
    return str(int(at.timestamp()))


def fresh_secret() -> str:
    """Return a new secret of 256 random bits."""
    return _SECRET + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def fresh_key() -> str:
    """Return a new ed25519 seed."""
    return _KEY + base64.b64encode(secrets.token_bytes(_BYTES)).decode()
