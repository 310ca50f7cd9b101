"""Builds the bytes of a reply. No text can break out of its XML element."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.events import Push
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.signature import sign


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP body of a reply, in UTF-8, and its content type."""

    body: bytes
    content_type: str


SUCCESS: Final = Answer(b"success", "text/plain")
"""The reply without a message; valid in every mode, and WeChat does not redeliver (wechat-protocol.md 3.4)."""

CONTENT_TYPES: Final = {Format.XML: "application/xml", Format.JSON: "application/json"}

# not allowed in XML 1.0, not even escaped; with one such character WeChat shows its error text
UNSAYABLE: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TEXT_XML: Final = (
    "<xml><ToUserName><![CDATA[{ToUserName}]]></ToUserName>"
    "<FromUserName><![CDATA[{FromUserName}]]></FromUserName><CreateTime>{CreateTime}</CreateTime>"
    "<MsgType><![CDATA[{MsgType}]]></MsgType><Content><![CDATA[{Content}]]></Content></xml>"
)
_SEALED_XML: Final = (
    "<xml><Encrypt><![CDATA[{Encrypt}]]></Encrypt><MsgSignature><![CDATA[{MsgSignature}]]></MsgSignature>"
    "<TimeStamp>{TimeStamp}</TimeStamp><Nonce><![CDATA[{Nonce}]]></Nonce></xml>"
)


def sayable(text: str) -> str:
    """Return *text* without the characters that XML does not allow."""
    return UNSAYABLE.sub("", text)


def text_message(text: str, *, to: Push, form: Format, now: datetime) -> bytes:
    """Return a text cleaned by `sayable` as a reply to the push *to*, in *form* (wechat-protocol.md 3.4)."""
    parts = {
        "ToUserName": to.openid,
        "FromUserName": to.gh_id,
        "CreateTime": int(now.timestamp()),
        "MsgType": "text",
        "Content": text.replace("]]>", "]]]]><![CDATA[>") if form is Format.XML else text,
    }
    return _written(parts, form, _TEXT_XML)


def sealed(
    message: bytes,
    *,
    envelope: Envelope,
    token: str,
    nonce: str,
    form: Format,
    now: datetime,
    random: bytes | None = None,
) -> bytes:
    """Encrypt and sign *message*; *nonce* is that of the push, already validated."""
    seconds, encrypt = int(now.timestamp()), envelope.seal(message, random=random)
    parts = {
        "Encrypt": encrypt,
        "MsgSignature": sign(token, str(seconds), nonce, encrypt),
        "TimeStamp": seconds,
        "Nonce": nonce,
    }
    return _written(parts, form, _SEALED_XML)


def _written(parts: Mapping[str, object], form: Format, template: str) -> bytes:
    text = template.format_map(parts) if form is Format.XML else json.dumps(parts, ensure_ascii=False)
    return text.encode()
