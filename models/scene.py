"""The scene string in a QR code: a signed claim that is verified without a lookup.

Layout (at most 64 characters of `A-Z a-z 0-9 _ -`, wechat-protocol.md 2; decisions: docs/adr/0001, 0028):

    version 0, of the scan:   first 1 |            expiry 6 | nonce 5 or 16 | tag 16 | the user id, if it is short
    version 1, of the others: first 1 | method 1 | expiry 6 | nonce 8       | tag 16
                              `--------------------- head ------------------------'

The first character is version, language and kind. The head is the ticket. The tag is a MAC over the other fields
of the head, the client, the account and the user id. Each client has its own key, so the key that verifies the tag
identifies the client. Tags and tickets are compared as text, because several base64 texts can decode to the same
bytes.
"""

import hmac
import itertools
import re
import string
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from models.binding import UserId
from models.language import Lang
from models.method import Method
from models.ticket import Purpose, TicketId, Via

ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
MAX_LENGTH: Final = 64
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+")
_CHARACTERS: Final = ALPHABET.encode() * 4
"""The character of each byte: that of its lower six bits."""
_EXPIRY, _TAG = 6, 16
NONCE_LENGTH: Final = 16
"""Random characters for the longest nonce; other headers use the first of them."""


class Kind(IntEnum):
    """The ticket's purpose and what started it; two bits of the first character."""

    LOGIN_PAGE = 0
    LOGIN_BACKEND = 1
    BIND = 2
    """A bind with the user id in the scene."""
    BIND_KEPT = 3
    """A bind with the user id in SQL: it does not fit, the portal started the bind, or it is no scan."""

    @property
    def purpose(self) -> Purpose:
        return Purpose.LOGIN if self in (Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND) else Purpose.BIND


_LANGS: Final = (None, Lang.ZH, Lang.EN)
_LETTERS: Final = {
    Method.LINK: "L",
    Method.MINIPROGRAM: "M",
    Method.PASSCODE: "P",
    Method.WEBSITE: "W",
    Method.H5: "H",
    Method.WECOM: "C",
}
"""The second character of version 1. The scan has none: it is written as version 0 alone."""


@dataclass(frozen=True, slots=True)
class _Form:
    """What all headers that begin with *prefix* have in common; lengths in characters."""

    prefix: str
    method: Method
    kind: Kind
    lang: Lang | None
    nonce: int
    length: int


def _form(method: Method, kind: Kind, lang: Lang | None) -> _Form:
    version, letter = (0, "") if method is Method.SCAN else (1, _LETTERS[method])
    prefix = ALPHABET[version << 4 | _LANGS.index(lang) << 2 | kind] + letter
    nonce = 8 if version else 5 if kind.purpose is Purpose.BIND else NONCE_LENGTH
    return _Form(prefix, method, kind, lang, nonce, len(prefix) + _EXPIRY + nonce + _TAG)


_FORMS: Final = {
    (method, kind, lang): _form(method, kind, lang)
    for method, kind, lang in itertools.product(Method, Kind, _LANGS)
    if method is Method.SCAN or kind is not Kind.BIND  # version 1 has no room for a user id (docs/adr/0028)
}
_BY_PREFIX: Final = {form.prefix: form for form in _FORMS.values()}


@dataclass(frozen=True, slots=True)
class TicketHeader:
    """The fields of a ticket. Untrusted until its tag or its secret is verified."""

    ticket: TicketId
    method: Method
    kind: Kind
    lang: Lang | None
    expires_at: datetime

    @property
    def purpose(self) -> Purpose:
        return self.kind.purpose

    @property
    def body(self) -> str:
        """The ticket without its tag; of version 1, 16 characters."""
        return self.ticket[:-_TAG]

    @property
    def via(self) -> Via:
        return Via.PAGE if self.kind is Kind.LOGIN_PAGE else Via.BACKEND


@dataclass(frozen=True, slots=True)
class Scene:
    """A ticket and, for a bind whose user id is short or was read from SQL before, that id."""

    head: TicketHeader
    user_id: UserId | None = None

    @property
    def text(self) -> str:
        return self.head.ticket + (self.user_id or "")

    def belongs(self, *, client: str, account: str, user_id: UserId | None, key: bytes) -> bool:
        """Return whether *key* signed this scene for this client, account and user id (in the scene or in SQL)."""
        tag = self.head.ticket[-_TAG:]
        return hmac.compare_digest(
            tag, _tag(self.head.body, client=client, account=account, user_id=user_id, key=key)
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified scene: the client and account of its ticket, and the user that it would bind."""

    head: TicketHeader
    client: str
    account: str
    user_id: UserId | None = None


def make(
    *,
    method: Method,
    kind: Kind,
    lang: Lang | None,
    expires_at: datetime,
    nonce: str,
    client: str,
    account: str,
    user_id: UserId | None = None,
    key: bytes,
) -> Scene:
    """Create and sign a scene; *nonce* is NONCE_LENGTH random characters of ALPHABET.

    BIND is a kind of the scan alone.
    """
    form = _FORMS[method, kind, lang]
    body = form.prefix + _encode(int(expires_at.timestamp())) + nonce[: form.nonce]
    ticket = TicketId(body + _tag(body, client=client, account=account, user_id=user_id, key=key))
    return Scene(_head(ticket, form), user_id if kind is Kind.BIND else None)


def signed(head: TicketHeader, *, client: str, account: str, key: bytes) -> Scene:
    """Return the login of *head* with the tag that *key* makes, in place of its own."""
    tag = _tag(head.body, client=client, account=account, user_id=None, key=key)
    return Scene(replace(head, ticket=TicketId(head.body + tag)))


def bind_kind(method: Method, user_id: UserId) -> Kind:
    """Return the kind of a bind: with the user id in the scene if it fits, else in SQL."""
    form = _FORMS.get((method, Kind.BIND, None))
    fits = form and _SHAPE.fullmatch(user_id) and len(user_id) <= MAX_LENGTH - form.length
    return Kind.BIND if fits else Kind.BIND_KEPT


def read(text: str) -> Scene | None:
    """Parse a scene without verifying it; None if it is not well formed."""
    form = _form_of(text)
    if form is None or len(text) < form.length:
        return None
    ticket, user_id = TicketId(text[: form.length]), UserId(text[form.length :])
    if bool(user_id) is not (form.kind is Kind.BIND):
        return None
    return Scene(_head(ticket, form), user_id or None)


def read_ticket(text: str) -> TicketHeader | None:
    """Parse a ticket without verifying it; None if it is not well formed."""
    form = _form_of(text)
    return _head(TicketId(text), form) if form and len(text) == form.length else None


def _form_of(text: str) -> _Form | None:
    if len(text) > MAX_LENGTH or not _SHAPE.fullmatch(text):
        return None
    return _BY_PREFIX.get(text[0]) or _BY_PREFIX.get(text[:2])


def _head(ticket: TicketId, form: _Form) -> TicketHeader:
    expiry = ticket[len(form.prefix) :][:_EXPIRY]
    expires_at = datetime.fromtimestamp(_decode(expiry), UTC)
    return TicketHeader(ticket, form.method, form.kind, form.lang, expires_at)


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
