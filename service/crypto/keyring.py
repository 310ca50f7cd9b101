"""The keys, secrets, codes and MACs derived from secret_key. None are stored; comparisons take constant time.

Each key in secret_key is a generation: the newest one signs, all verify (docs/adr/0011).
"""

import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from models import base64url
from models.binding import UserId
from models.confirmation import Numbers, mark, numbers
from models.events import OpenId
from models.passcode import drawn
from models.scene import Scene, TicketHeader
from models.ticket import TicketId
from service.crypto.derivation import derive

_HINT = 4
_FINGERPRINT = 8
_CODE_TAG = 16
"""Characters: as many as of a ticket's tag."""


class Capability(StrEnum):
    """What the holder of an address of ours may do. Each is signed under a context of its own."""

    AUTHORIZE = "authorize"
    PANEL = "panel"
    LINK = "link"
    CODE_PICTURE = "code-pictures"
    PROFILE_PICTURE = "profile-pictures"
    UNDO = "undo"
    UNDO_FORM = "undo form"
    """Proves that a form is that of the undo page."""


@dataclass(frozen=True, slots=True, repr=False)
class ClientKeys:
    """One generation of one client's keys. What they sign, only they verify."""

    client: str
    hint: str
    """The first characters of its secrets, to find these keys without trying all. Not an authenticator."""
    scene: bytes
    _secret: bytes
    _code: bytes
    _registration: bytes
    _question: bytes
    _portal_link: bytes
    _portal_secret: bytes
    _answer: bytes
    _passcode: bytes
    _mini_program: bytes
    _code_picture: bytes
    _capabilities: Mapping[Capability, bytes]

    def secret(self, ticket: TicketId) -> str:
        """Return the ticket's secret, which authorizes reading its status and cancelling it."""
        return self.hint + _mac(self._secret, ticket)

    def code(self, ticket: TicketId, openid: OpenId, answered_at: datetime) -> str:
        """Return the one-time login code of a confirmed ticket."""
        return f"{ticket}.{_mac(self._code, ticket, openid, _instant(answered_at))}"

    def registration(self, ticket: TicketId, openid: OpenId, code_used_at: datetime) -> str:
        """Return the registration, with which a site binds an unbound WeChat to its user."""
        return f"{ticket}.{_mac(self._registration, ticket, openid, _instant(code_used_at))}"

    def portal_link(self, session: str) -> str:
        """Return the proof in the one-time link of a portal session."""
        return _mac(self._portal_link, session)

    def portal_secret(self, session: str, opened_at: datetime) -> str:
        """Return the secret of an opened portal session, stored in its cookie."""
        return _mac(self._portal_secret, session, _instant(opened_at))

    def capability(self, what: Capability, name: str) -> str:
        """Return the part of an address that permits *what* with the ticket or the picture of this name."""
        return f"{name}.{self.hint}{_mac(self._capabilities[what], name)}"

    def code_scene(self, head: TicketHeader, app: str) -> str:
        """Return the scene in the ticket's code of the mini program *app*: its body, and a tag of its own."""
        return head.body + _mac(self._mini_program, head.body, app)[:_CODE_TAG]

    def code_picture(self, ticket: TicketId, picture: str) -> str:
        """Return the proof that WeChat drew *picture*, in base64, for the ticket's code."""
        return _mac(self._code_picture, ticket, picture)

    def answer_token(self, ticket: TicketId, openid: OpenId, browser: str) -> str:
        """Return the proof that a page asked *openid* in this browser, or a mini program under this name."""
        return _mac(self._answer, ticket, openid, browser)

    def passcode(self, ticket: TicketId) -> str:
        """Return the passcode of a ticket, without a space (contract.md 8.4)."""
        return drawn(_keyed(self._passcode, ticket, size=8))

    @staticmethod
    def same(given: str, expected: str) -> bool:
        """Compare untrusted text with a derived one, in constant time."""
        return hmac.compare_digest(_bytes(given), expected.encode())

    def numbers(self, ticket: TicketId) -> Numbers:
        return numbers(self._digest(ticket))

    def mark(self, ticket: TicketId) -> str:
        return mark(self._digest(ticket))

    def _digest(self, ticket: TicketId) -> bytes:
        return _keyed(self._question, ticket, size=32)


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """All clients' keys and the service's own, newest first."""

    fingerprint: str
    """Identifies the newest key without revealing anything of it."""
    _clients: dict[str, tuple[ClientKeys, ...]]
    _qr: tuple[bytes, ...]
    _lookups: tuple[bytes, ...]
    _probes: tuple[bytes, ...]
    _by_hint: dict[str, list[ClientKeys]] = field(default_factory=dict)

    @classmethod
    def derive(cls, secret_keys: tuple[str, ...], clients: Iterable[str]) -> "Keyring":
        """Derive all keys from each of *secret_keys* (newest first) with HKDF-SHA256, one context per key."""
        keys = {client: tuple(_client_keys(secret, client) for secret in secret_keys) for client in clients}
        by_hint: dict[str, list[ClientKeys]] = {}
        for one in itertools.chain.from_iterable(keys.values()):
            by_hint.setdefault(one.hint, []).append(one)
        fingerprint = base64url.encode(derive(secret_keys[0], "fingerprint"))[:_FINGERPRINT]
        qr, lookups, probes = (
            tuple(derive(secret, what) for secret in secret_keys) for what in ("qr", "passcodes", "probe")
        )
        return cls(fingerprint, keys, qr, lookups, probes, by_hint)

    def has_keys_of(self, other: "Keyring") -> bool:
        """Tell whether both are derived from the same secret keys, in the same order."""
        return self._probes == other._probes  # noqa: SLF001 - of the same class

    def newest(self, client: str) -> ClientKeys:
        """Return the client's newest keys, which sign everything new."""
        return self._clients[client][0]

    def maker(self, scene: Scene, *, client: str, account: str, user_id: UserId | None) -> ClientKeys | None:
        """Return the keys of *client* that signed *scene*, and so its ticket; None if none did."""
        for keys in self._clients[client]:
            if scene.belongs(client=client, account=account, user_id=user_id, key=keys.scene):
                return keys
        return None

    def account_of(
        self, scene: Scene, *, client: str, accounts: Iterable[str], user_id: UserId | None
    ) -> str | None:
        """Return which of *accounts* a scene of *client* was signed for; None if it was for none of them."""
        for account in accounts:
            if self.maker(scene, client=client, account=account, user_id=user_id):
                return account
        return None

    def made(self, given: str, client: str, make: Callable[[ClientKeys], str]) -> bool:
        """Return whether *make* derives *given* from some generation of *client*'s keys."""
        return any(keys.same(given, make(keys)) for keys in self._clients.get(client, ()))

    def authenticate(self, ticket: TicketId, secret: str) -> ClientKeys | None:
        """Return the keys that derived *secret* for *ticket*, which proves both genuine; None if none did."""
        given = _bytes(secret)
        for keys in self._by_hint.get(secret[:_HINT], ()):
            if hmac.compare_digest(keys.secret(ticket).encode(), given):
                return keys
        return None

    def permitted(self, what: Capability, given: str) -> tuple[str, ClientKeys] | None:
        """Return the name for which *given* permits *what*, and the keys that signed it; None if none did."""
        name, _, proof = given.partition(".")
        for keys in self._by_hint.get(proof[:_HINT], ()):
            if keys.same(given, keys.capability(what, name)):
                return name, keys
        return None

    def passcode_lookups(self, account: str, code: str) -> list[str]:
        """Return what stands for a passcode of *account* in a store: a MAC by each generation."""
        return [_mac(key, account, code) for key in self._lookups]

    def probe(self, now: datetime) -> str:
        """Return a token of the doctor, made at *now*."""
        stamp = str(int(now.timestamp()))
        return f"{stamp}.{_mac(self._probes[0], stamp)}"

    def is_probe(self, given: str, *, now: datetime, within: timedelta) -> bool:
        """Tell whether *given* is a token of the doctor that was made at most *within* before or after *now*."""
        stamp, _, proof = given.partition(".")
        made = any(hmac.compare_digest(_bytes(proof), _mac(key, stamp).encode()) for key in self._probes)
        return made and abs(now.timestamp() - int(stamp)) <= within.total_seconds()

    def maker_of_code(self, scene: TicketHeader, app: str) -> ClientKeys | None:
        """Return the keys that signed *scene* for a code of the mini program *app*; None if none did."""
        for keys in itertools.chain.from_iterable(self._clients.values()):
            if keys.same(scene.ticket, keys.code_scene(scene, app)):
                return keys
        return None

    def seal_qr(self, url: str, expires_at: datetime) -> str:
        """Return a signed path segment that allows drawing the QR code of *url* until *expires_at*."""
        payload = base64url.encode(int(expires_at.timestamp()).to_bytes(5, "big") + url.encode())
        return _mac(self._qr[0], payload) + payload

    def open_qr(self, capability: str) -> tuple[str, datetime] | None:
        """Return the URL and expiry that `seal_qr` signed; None if the signature is wrong."""
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
        _answer=key("answer"),
        _passcode=key("passcode"),
        _mini_program=key("mini program"),
        _code_picture=key("code picture"),
        _capabilities={what: key(what) for what in Capability},
    )


def _mac(key: bytes, *fields: str) -> str:
    """Return 32 characters of base64url: 192 bits."""
    return base64url.encode(_keyed(key, "\0".join(fields), size=24))


def _keyed(key: bytes, text: str, *, size: int) -> bytes:
    """Return a MAC: keyed BLAKE2b, as strong as HMAC-SHA-256 in a third of the time. Every poll computes one."""
    return hashlib.blake2b(_bytes(text), key=key, digest_size=size).digest()


def _bytes(given: str) -> bytes:
    """Encode untrusted text. A lone surrogate becomes `?`, which no derived text contains."""
    return given.encode(errors="replace")


def _instant(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))
