"""The scene string in a QR code: a signed claim that is verified without a lookup.

Layout (at most 64 characters of `A-Z a-z 0-9 _ -`, wechat-protocol.md 2; decision: docs/adr/0001):

    kind 1 | expiry 6 | nonce 5 or 16 | tag 16 | the user id, when it is short enough
    `---------------- head ----------------'

The head is the ticket. The tag is a MAC over the other fields of the head, the client, the account and the user
id. Each client has its own key, so the key that verifies the tag identifies the client. Tags and tickets are
compared as text, because several base64 texts can decode to the same bytes.
"""

import hmac
import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from models.binding import UserId
from models.language import Lang
from models.ticket import Purpose, TicketId, Via

ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
MAX_LENGTH: Final = 64
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+")
_CHARACTERS: Final = ALPHABET.encode() * 4
"""The character of each byte: that of its lower six bits."""
_EXPIRY, _TAG = 6, 16
_VERSION: Final = 0


class Kind(IntEnum):
    """The ticket's purpose and what started it; two bits of the first character."""

    LOGIN_PAGE = 0
    LOGIN_BACKEND = 1
    BIND = 2
    """A bind with the user id in the scene."""
    BIND_KEPT = 3
    """A bind with the user id in SQL, because it does not fit or the portal started the bind."""

    @property
    def purpose(self) -> Purpose:
        return Purpose.LOGIN if self in (Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND) else Purpose.BIND


NONCE_LENGTH: Final = {Kind.LOGIN_PAGE: 16, Kind.LOGIN_BACKEND: 16, Kind.BIND: 5, Kind.BIND_KEPT: 5}
_LANGS: Final = (None, Lang.ZH, Lang.EN)


def _head_length(kind: Kind) -> int:
    return 1 + _EXPIRY + NONCE_LENGTH[kind] + _TAG


@dataclass(frozen=True, slots=True)
class TicketHeader:
    """The fields of a ticket. Untrusted until its tag or its secret is verified."""

    ticket: TicketId
    kind: Kind
    lang: Lang | None
    expires_at: datetime

    @property
    def purpose(self) -> Purpose:
        return self.kind.purpose

    @property
    def via(self) -> Via:
        return Via.PAGE if self.kind is Kind.LOGIN_PAGE else Via.BACKEND


@dataclass(frozen=True, slots=True)
class Scene:
    """A ticket and, for a bind with a short user id, that id."""

    head: TicketHeader
    user_id: UserId | None = None

    @property
    def text(self) -> str:
        return self.head.ticket + (self.user_id or "")

    def belongs(self, *, client: str, account: str, user_id: UserId | None, key: bytes) -> bool:
        """Return whether *key* signed this scene for this client, account and user id (in the scene or in SQL)."""
        body, tag = self.head.ticket[:-_TAG], self.head.ticket[-_TAG:]
        return hmac.compare_digest(tag, _tag(body, client=client, account=account, user_id=user_id, key=key))


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified scene: the client and account of its ticket, and the user that it would bind."""

    head: TicketHeader
    client: str
    account: str
    user_id: UserId | None = None


def make(
    *,
    kind: Kind,
    lang: Lang | None,
    expires_at: datetime,
    nonce: str,
    client: str,
    account: str,
    user_id: UserId | None = None,
    key: bytes,
) -> Scene:
    """Create and sign a scene; *nonce* is NONCE_LENGTH[kind] random characters of ALPHABET."""
    first = ALPHABET[_VERSION << 4 | _LANGS.index(lang) << 2 | kind]
    body = first + _encode(int(expires_at.timestamp())) + nonce
    ticket = TicketId(body + _tag(body, client=client, account=account, user_id=user_id, key=key))
    return Scene(_head(ticket, kind, lang), user_id if kind is Kind.BIND else None)


def bind_kind(user_id: UserId) -> Kind:
    """Return the kind of a bind: with the user id in the scene if it fits, else in SQL."""
    fits = _SHAPE.fullmatch(user_id) and len(user_id) <= MAX_LENGTH - _head_length(Kind.BIND)
    return Kind.BIND if fits else Kind.BIND_KEPT


def read(text: str) -> Scene | None:
    """Parse a scene without verifying it; None if it is not well formed."""
    if len(text) > MAX_LENGTH or not _SHAPE.fullmatch(text):
        return None
    version, lang, kind = (bits := ALPHABET.index(text[0])) >> 4, bits >> 2 & 3, Kind(bits & 3)
    length = _head_length(kind)
    if version != _VERSION or lang >= len(_LANGS) or len(text) < length:
        return None
    if (len(text) > length) is not (kind is Kind.BIND):
        return None
    head = _head(TicketId(text[:length]), kind, _LANGS[lang])
    return Scene(head, UserId(text[length:]) if kind is Kind.BIND else None)


def read_ticket(text: str) -> TicketHeader | None:
    """Parse a ticket without verifying it; None if it is not well formed."""
    if not 0 < len(text) <= MAX_LENGTH:
        return None
    scene = read(text + "-" if ALPHABET.find(text[0]) & 3 == Kind.BIND else text)
    return scene.head if scene and scene.head.ticket == text else None


def _head(ticket: TicketId, kind: Kind, lang: Lang | None) -> TicketHeader:
    return TicketHeader(ticket, kind, lang, datetime.fromtimestamp(_decode(ticket[1 : 1 + _EXPIRY]), UTC))


def _tag(body: str, *, client: str, account: str, user_id: UserId | None, key: bytes) -> str:
    # None of the fields can contain NUL, so different claims never join to the same text.
    claim = "\0".join((body, client, account, user_id or ""))
    digest = hmac.digest(key, claim.encode(), "sha256")
    return digest[:_TAG].translate(_CHARACTERS).decode()


def _encode(seconds: int) -> str:
    return "".join(ALPHABET[seconds >> shift & 63] for shift in range(6 * (_EXPIRY - 1), -1, -6))


def _decode(text: str) -> int:
    seconds = 0
    for character in text:
        seconds = seconds << 6 | ALPHABET.index(character)
    return seconds
