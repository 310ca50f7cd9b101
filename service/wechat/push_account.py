"""Verifies and decrypts the pushes of one Official Account. Checks the signature before parsing the body."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from models.errors import BadSignature, Malformed, UnreadablePush
from models.events import Event, Unsubscribed
from service.wechat.envelope import Envelope
from service.wechat.parsing import Fields, Format, read, sealed_values, understand
from service.wechat.relayed_reply import Relayed, written
from service.wechat.replies import CONTENT_TYPES, SUCCESS, Answer, sayable, sealed, text_message
from service.wechat.signature import matches, sign

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Query = Mapping[str, Sequence[str]]
"""The values of each parameter. Duplicates are refused: proxies differ in which one they pass on."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,10}")
_UNPROVED: Final = 4
"""How many values of `Encrypt` are tried for a query that is not signed: a forger costs few hashes."""
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # the reply contains it inside CDATA


class Mode(StrEnum):
    """The message mode set in the account's console; decides which pushes are accepted (contract.md 1)."""

    SAFE = "safe"
    COMPATIBLE = "compatible"
    PLAIN = "plain"


_NOT_BESIDE_ENCRYPT: Final[Mapping[Mode, frozenset[str]]] = {
    Mode.SAFE: frozenset({"FromUserName", "MsgType"}),
    Mode.COMPATIBLE: frozenset(),  # contains the message in plain text as well, which is ignored
}
"""Fields that must not accompany `Encrypt`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A push signed by WeChat, with the token and key that matched: the reply uses the same."""

    event: Event
    format: Format
    nonce: str
    token: str = field(repr=False)
    envelope: Envelope | None = None
    """None when the push was not encrypted."""
    message: bytes = field(repr=False, default=b"")
    """The message as WeChat wrote it, decrypted."""

    @property
    def encrypted(self) -> bool:
        return self.envelope is not None


@dataclass(frozen=True, slots=True)
class PushAccount:
    """Push settings of an Official Account; `tokens` and `aes_keys` (43 characters) are newest first.

    Pushes whose timestamp differs from now by more than `max_skew` are rejected; WeChat documents no limit. Pushes
    to another original id than `gh_id`, if given, are rejected.
    Raises ValueError if a token or key that the mode needs is missing.
    """

    name: str
    appid: str
    tokens: tuple[str, ...] = field(repr=False)
    aes_keys: tuple[str, ...] = field(repr=False, default=())
    mode: Mode = Mode.SAFE
    max_skew: timedelta | None = None
    gh_id: str = ""
    _envelopes: tuple[Envelope, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.tokens or not all(self.tokens):
            raise ValueError("an account needs a token")
        if self.mode != Mode.PLAIN and not self.aes_keys:
            raise ValueError(f"mode {self.mode} needs an EncodingAESKey")
        envelopes = tuple(Envelope.of(key, appid=self.appid) for key in self.aes_keys)
        object.__setattr__(self, "_envelopes", envelopes)  # the dataclass is frozen

    def verify(self, query: Mapping[str, str]) -> str:
        """Return the echostr of a URL verification, in every mode (wechat-protocol.md 3.1).

        Any timestamp is accepted, because the answer tells only what was sent. Raises BadSignature; Malformed
        if the query is signed but has no echostr.
        """
        values = _values(query)
        timestamp, nonce = _stamp(values)
        self._signer(_one(values, "signature"), timestamp, nonce)
        echoes = values.get("echostr", ())
        if len(echoes) != 1:
            raise Malformed("echostr")
        return echoes[0]

    def has_signed_query(self, query: Mapping[str, str], *, now: datetime) -> bool:
        """Tell whether *query* is signed with a token of the account, in every mode.

        This signature does not cover the body; `open` verifies that (wechat-protocol.md 3.2).
        """
        try:
            values = _values(query)
            timestamp, nonce = self._fresh_stamp(values, now=now)
            self._signer(_one(values, "signature"), timestamp, nonce)
        except BadSignature:
            return False
        return True

    def open(self, query: Mapping[str, str], body: bytes, *, now: datetime) -> Delivery:
        """Verify a push and return its content.

        Raises BadSignature if the signature is wrong, is not the one that the mode requires, or its timestamp is
        outside `max_skew`; Malformed if the push cannot be decrypted or is for another account; UnreadablePush if
        it is authentic, but no message that can be read.
        """
        values = _values(query)
        timestamp, nonce = self._fresh_stamp(values, now=now)
        opener = self._open_plain if self.mode == Mode.PLAIN else self._open_sealed
        delivery = opener(values, body, timestamp, nonce)
        if self.gh_id not in ("", delivery.event.gh_id):
            raise Malformed("addressee")
        return delivery

    def reply(
        self, delivery: Delivery, reply: str | Relayed | None, *, now: datetime, random: bytes | None = None
    ) -> Answer:
        """Return the reply to *delivery*, a text or a target's, in its format and encrypted if it was.

        Without one, or with an empty text, it is `success`. *random* is 16 bytes for the encryption, generated if
        not given.
        """
        # WeChat shows an error text for an empty Content, and cannot deliver a reply to an unsubscribe.
        content = "" if isinstance(reply, Relayed) else sayable(reply or "")
        if isinstance(delivery.event, Unsubscribed) or not (isinstance(reply, Relayed) or content.strip()):
            return SUCCESS
        form = delivery.format
        if isinstance(reply, Relayed):
            body = written(reply, to=delivery.event, form=form, now=now)
        else:
            body = text_message(content, to=delivery.event, form=form, now=now)
        if delivery.envelope is not None:
            body = sealed(
                body,
                envelope=delivery.envelope,
                token=delivery.token,
                nonce=delivery.nonce,
                form=form,
                now=now,
                random=random,
            )
        return Answer(body, CONTENT_TYPES[form])

    def _fresh_stamp(self, query: _Query, *, now: datetime) -> tuple[str, str]:
        timestamp, nonce = _stamp(query)
        if self.max_skew is not None and abs(now.timestamp() - int(timestamp)) > self.max_skew.total_seconds():
            raise BadSignature("clock")
        return timestamp, nonce

    def _open_plain(self, query: _Query, body: bytes, timestamp: str, nonce: str) -> Delivery:
        token = self._signer(_one(query, "signature"), timestamp, nonce)
        document = _authentic(read, body)
        if "Encrypt" in document.fields:
            console = Mode.COMPATIBLE if "MsgType" in document.fields else Mode.SAFE
            raise Malformed("mode", console=console)
        event = _authentic(understand, document.fields)
        return Delivery(event, document.format, nonce, token, message=body)

    def _open_sealed(self, query: _Query, body: bytes, timestamp: str, nonce: str) -> Delivery:
        kind = query.get("encrypt_type", [])
        if kind in ([], ["raw"]):  # wechat-protocol.md 3.2
            raise self._in_plain(query, timestamp, nonce)
        if kind != ["aes"]:
            raise BadSignature
        # not `signature`: it does not cover the body (wechat-protocol.md 3.2)
        signature = _one(query, "msg_signature")
        # Find the signed value first: this takes a hundredth of the time of parsing the document.
        encrypt, token = self._signed(signature, query, body, timestamp, nonce)
        envelope, message = self._unsealed(encrypt)
        outer = _authentic(read, body)
        if _encrypt(outer.fields, refused=_NOT_BESIDE_ENCRYPT[self.mode]) != encrypt:
            raise BadSignature
        event = _authentic(understand, _authentic(read, message).fields)
        if str(outer.fields.get("ToUserName", event.gh_id)).strip() != event.gh_id:
            raise Malformed("addressee")
        return Delivery(event, outer.format, nonce, token, envelope, message)

    def _signed(self, signature: str, query: _Query, body: bytes, timestamp: str, nonce: str) -> tuple[str, str]:
        """Find a signed `Encrypt` value in *body*; return it and the token that signed it."""
        tried = 0
        for tried, encrypt in enumerate(sealed_values(body), 1):
            if tried > _UNPROVED:  # in compatible mode people may write any number of them into the chat
                self._signer(_one(query, "signature"), timestamp, nonce)
            with suppress(BadSignature):
                return encrypt, self._signer(signature, timestamp, nonce, encrypt)
        if tried:
            raise BadSignature
        fault = self._in_plain(query, timestamp, nonce)
        read(body)
        raise fault

    def _in_plain(self, query: _Query, timestamp: str, nonce: str) -> BadSignature:
        """Return the fault of a push that is not encrypted. Raises BadSignature if its query is not signed."""
        self._signer(_one(query, "signature"), timestamp, nonce)
        return BadSignature("mode", console=Mode.PLAIN)

    def _signer(self, signature: str, *parts: str) -> str:
        """Return the token that signed *parts*."""
        for token in self.tokens:
            if matches(sign(token, *parts), signature):
                return token
        raise BadSignature

    def _unsealed(self, encrypt: str) -> tuple[Envelope, bytes]:
        """Decrypt *encrypt*; return the envelope that has the right key, and the message."""
        for envelope in self._envelopes[:-1]:
            try:
                return envelope, envelope.open(encrypt)
            except Malformed:
                continue  # during a rotation the push may use an older key (wechat-protocol.md 3.5)
        return self._envelopes[-1], self._envelopes[-1].open(encrypt)


def _authentic(decode: Callable[[_In], _Out], raw: _In) -> _Out:
    """Decode *raw*, which is signed, and decrypted if the mode requires it. Raises UnreadablePush."""
    try:
        return decode(raw)
    except Malformed as e:
        raise UnreadablePush(e.fault) from e


def _encrypt(fields: Fields, *, refused: frozenset[str]) -> str:
    found = fields.get("Encrypt")
    encrypt = found.strip() if isinstance(found, str) else ""
    if not encrypt:
        raise BadSignature
    if refused & fields.keys():  # plain text is not signed
        raise BadSignature("mode", console=Mode.COMPATIBLE)
    return encrypt


def _stamp(query: _Query) -> tuple[str, str]:
    timestamp, nonce = _one(query, "timestamp"), _one(query, "nonce")
    if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
        raise BadSignature
    return timestamp, nonce


def _one(query: _Query, name: str) -> str:
    values = query.get(name, ())
    if len(values) != 1:
        raise BadSignature
    return values[0]


def _values(query: Mapping[str, str]) -> _Query:
    found: dict[str, list[str]] = {}
    for name, value in query.items():  # a multidict has one item per occurrence
        found.setdefault(name, []).append(value)
    return found
