"""Builds the request that passes a push on to another system, as WeChat would send it (wechat-protocol.md 3.2)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from service.wechat.envelope import Envelope
from service.wechat.message_tree import read_tree, write_tree
from service.wechat.parsing import Format, read
from service.wechat.signature import sign

_CONTENT_TYPES: Final = {Format.XML: "text/xml", Format.JSON: "application/json"}


@dataclass(frozen=True, slots=True)
class ForwardTarget:
    """A system that gets pushes, with the token and key that it shares with this service alone."""

    url: str
    token: str = field(repr=False)
    format: Format
    envelope: Envelope | None = None
    """None: in plain mode."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A push as WeChat wrote it, decrypted, with what it says of itself."""

    message: bytes
    format: Format
    openid: str
    gh_id: str
    name: str
    """MsgType of a message, Event of an event; in lower case."""
    is_message: bool


@dataclass(frozen=True, slots=True)
class ForwardedPush:
    """The request for one target."""

    url: str
    query: Mapping[str, str]
    body: bytes
    content_type: str


def heard(message: bytes) -> Heard:
    """Read what decides where a push goes. It was read before: raises Malformed as `read` does."""
    document = read(message)
    openid, gh_id, kind, event = (
        str(document.fields.get(name, "")).strip() for name in ("FromUserName", "ToUserName", "MsgType", "Event")
    )
    is_message = kind.lower() != "event"
    return Heard(message, document.format, openid, gh_id, (kind if is_message else event).lower(), is_message)


def forwarded(push: Heard, target: ForwardTarget, *, now: datetime) -> ForwardedPush:
    """Return the request that passes *push* on. Raises Malformed if it cannot be converted to the format."""
    body = push.message if push.format is target.format else write_tree(read_tree(push.message), target.format)
    stamp, nonce = str(int(now.timestamp())), str(secrets.randbelow(9 * 10**8) + 10**8)
    parts = (target.token, stamp, nonce)
    query = {"signature": sign(*parts), "timestamp": stamp, "nonce": nonce, "openid": push.openid}
    if target.envelope:
        encrypt = target.envelope.seal(body)
        query |= {"encrypt_type": "aes", "msg_signature": sign(*parts, encrypt)}
        body = write_tree({"ToUserName": push.gh_id, "Encrypt": encrypt}, target.format)
    return ForwardedPush(target.url, query, body, _CONTENT_TYPES[target.format])


def verification(target: ForwardTarget, *, now: datetime) -> dict[str, str]:
    """Return the query by which WeChat's console verifies an address (wechat-protocol.md 3.1)."""
    stamp, nonce, echo = str(int(now.timestamp())), *(str(secrets.randbelow(10**15)) for _ in range(2))
    return {"signature": sign(target.token, stamp, nonce), "timestamp": stamp, "nonce": nonce, "echostr": echo}
