"""Everything derived from secret_key. Nothing derived is ever stored; every comparison takes constant time.

Each key in secret_key is a generation: the newest makes, every one verifies (docs/adr/0011).
"""

import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from models import base64url
from models.binding import UserId
from models.confirmation import Numbers, mark, numbers
from models.events import OpenId
from models.scene import Scene
from models.ticket import TicketId
from service.crypto.derivation import derive

_HINT = 4
_FINGERPRINT = 8


@dataclass(frozen=True, slots=True, repr=False)
class ClientKeys:
    """One generation of one client's keys: no other client's and no other generation's verify what these made."""

    client: str
    hint: str
    """The first characters of its secrets: they spare a search, and prove nothing."""
    scene: bytes
    _secret: bytes
    _code: bytes
    _registration: bytes
    _question: bytes
    _portal_link: bytes
    _portal_secret: bytes

    def secret(self, ticket: TicketId) -> str:
        """Return what lets its holder follow and cancel the ticket."""
        return self.hint + _mac(self._secret, ticket)

    def code(self, ticket: TicketId, openid: OpenId, answered_at: datetime) -> str:
        """Return the one-time code of a confirmed login."""
        return f"{ticket}.{_mac(self._code, ticket, openid, _instant(answered_at))}"

    def registration(self, ticket: TicketId, openid: OpenId, code_used_at: datetime) -> str:
        """Return what a site may bind the new WeChat to its user with."""
        return f"{ticket}.{_mac(self._registration, ticket, openid, _instant(code_used_at))}"

    def portal_link(self, session: str) -> str:
        """Return what opens a portal session, once."""
        return _mac(self._portal_link, session)

    def portal_secret(self, session: str, opened_at: datetime) -> str:
        """Return what the one who opened a portal session proves that by."""
        return _mac(self._portal_secret, session, _instant(opened_at))

    @staticmethod
    def same(given: str, due: str) -> bool:
        """Compare what was given with what one of these methods made."""
        return hmac.compare_digest(_bytes(given), due.encode())

    def numbers(self, ticket: TicketId) -> Numbers:
        return numbers(self._digest(ticket))

    def mark(self, ticket: TicketId) -> str:
        return mark(self._digest(ticket))

    def _digest(self, ticket: TicketId) -> bytes:
        return _keyed(self._question, ticket, size=32)


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The keys of every client, and the service's own; all newest first."""

    fingerprint: str
    """Tells the newest key from others, and nothing of it."""
    _clients: dict[str, tuple[ClientKeys, ...]]
    _qr: tuple[bytes, ...]
    _by_hint: dict[str, list[ClientKeys]] = field(default_factory=dict)

    @classmethod
    def derive(cls, secret_keys: tuple[str, ...], clients: Iterable[str]) -> "Keyring":
        """Derive all keys from each of *secret_keys*, newest first, with HKDF-SHA256, a context for each."""
        keys = {client: tuple(_client_keys(secret, client) for secret in secret_keys) for client in clients}
        by_hint: dict[str, list[ClientKeys]] = {}
        for one in itertools.chain.from_iterable(keys.values()):
            by_hint.setdefault(one.hint, []).append(one)
        fingerprint = base64url.encode(derive(secret_keys[0], "fingerprint"))[:_FINGERPRINT]
        return cls(fingerprint, keys, tuple(derive(secret, "qr") for secret in secret_keys), by_hint)

    def newest(self, client: str) -> ClientKeys:
        """Return the keys that make what is new."""
        return self._clients[client][0]

    def maker(self, scene: Scene, *, client: str, account: str, user_id: UserId | None) -> ClientKeys | None:
        """Return the keys of *client* that made *scene*: all about its ticket is theirs. None if none did."""
        for keys in self._clients[client]:
            if scene.belongs(client=client, account=account, user_id=user_id, key=keys.scene):
                return keys
        return None

    def made(self, given: str, client: str, make: Callable[[ClientKeys], str]) -> bool:
        """Tell whether *given* is what some generation of *client*'s keys makes; never for an unknown client."""
        return any(keys.same(given, make(keys)) for keys in self._clients.get(client, ()))

    def whose(self, ticket: TicketId, secret: str) -> ClientKeys | None:
        """Return the keys that made *secret* for *ticket*, which proves the ticket, too; None if none did."""
        given = _bytes(secret)
        for keys in self._by_hint.get(secret[:_HINT], ()):
            if hmac.compare_digest(keys.secret(ticket).encode(), given):
                return keys
        return None

    def seal_qr(self, url: str, expires_at: datetime) -> str:
        """Return a capability, for a path, that shows the code of *url* until *expires_at*."""
        payload = base64url.encode(int(expires_at.timestamp()).to_bytes(5, "big") + url.encode())
        return _mac(self._qr[0], payload) + payload

    def open_qr(self, capability: str) -> tuple[str, datetime] | None:
        """Return what `seal_qr` sealed: the code's address and when it ends; None for anything else."""
        tag, payload = capability[:32], capability[32:]
        if not any(hmac.compare_digest(_bytes(tag), _mac(key, payload).encode()) for key in self._qr):
            return None
        raw = base64url.decode(payload)
        return raw[5:].decode(), datetime.fromtimestamp(int.from_bytes(raw[:5], "big"), UTC)


def _client_keys(secret_key: str, client: str) -> ClientKeys:
    def key(context: str) -> bytes:
        return derive(secret_key, f"{context}/{client}")

    return ClientKeys(
        client=client,
        hint=base64url.encode(key("hint"))[:_HINT],
        scene=key("scene"),
        _secret=key("secret"),
        _code=key("code"),
        _registration=key("registration"),
        _question=key("question"),
        _portal_link=key("portal"),
        _portal_secret=key("portal session"),
    )


def _mac(key: bytes, *fields: str) -> str:
    """Return 32 characters of base64url: 192 bits."""
    return base64url.encode(_keyed(key, "\0".join(fields), size=24))


def _keyed(key: bytes, text: str, *, size: int) -> bytes:
    """Return a MAC: keyed BLAKE2b, as strong as HMAC-SHA-256 for a third of its time, which every poll spends."""
    return hashlib.blake2b(_bytes(text), key=key, digest_size=size).digest()


def _bytes(given: str) -> bytes:
    """Encode what a stranger sent, who may send half a surrogate pair; never equal to anything we made."""
    return given.encode(errors="replace")


def _instant(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))
