"""Checks the answer to a push as WeChat does (wechat-protocol.md 3.4). Pure."""

import hmac
from dataclasses import dataclass
from typing import Final

from sandbox.account import OfficialAccount
from sandbox.crypto import BadCipher, Sealer, sign
from sandbox.push_format import Fields, Unreadable, read

NOTHING: Final = (b"", b"success")
"""Bodies that acknowledge a push without a reply. Not encrypted, even in safe mode."""
_WORDLESS: Final = frozenset({"image", "voice", "video", "music", "news", "transfer_customer_service"})


class BadReply(Exception):
    """WeChat would show the fault text for this answer; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """The push that is answered."""

    account: OfficialAccount
    openid: str
    nonce: str
    answerable: bool = True
    """False for an unsubscribe: its sender can no longer receive messages."""


def judge(body: bytes, *, to: Question) -> str | None:
    """Return the text that the chat shows for an answer, or None; raise BadReply."""
    if body in NOTHING:
        return None
    if not to.answerable:
        raise BadReply("an unsubscribe cannot be answered: respond with success")
    try:
        fields = read(body, to.account.format)
        if "Encrypt" in fields:
            fields = read(_decrypted(fields, to), to.account.format)
        elif to.account.mode == "safe":
            raise BadReply("in the clear, although the account is in safe mode")
    except Unreadable as e:
        raise BadReply(str(e)) from e
    return _shown(fields, to)


def _decrypted(fields: Fields, to: Question) -> bytes:
    if to.account.mode == "plain":
        raise BadReply("encrypted, although the account is in plain mode")
    missing = {"MsgSignature", "TimeStamp", "Nonce"} - fields.keys()
    if missing:
        raise BadReply(f"the envelope lacks {', '.join(sorted(missing))}")
    stamp, nonce, encrypted = (str(fields[name]) for name in ("TimeStamp", "Nonce", "Encrypt"))
    if not (stamp.isascii() and stamp.isdigit()):
        raise BadReply("the envelope's TimeStamp is not a number")
    if nonce != to.nonce:
        raise BadReply("the envelope's Nonce is not the push's")
    expected = sign(to.account.token, stamp, nonce, encrypted)
    if not hmac.compare_digest(expected.encode(), str(fields["MsgSignature"]).encode()):
        raise BadReply("the envelope's MsgSignature is wrong")
    try:
        return Sealer.of(to.account.aes_key, appid=to.account.appid).open(encrypted)
    except BadCipher as e:
        raise BadReply(f"the envelope cannot be decrypted: {e}") from e


def _shown(fields: Fields, to: Question) -> str:
    if fields.get("ToUserName") != to.openid:
        raise BadReply("ToUserName is not the openid of the sender: swap From and To")
    if fields.get("FromUserName") != to.account.gh_id:
        raise BadReply("FromUserName is not the account's gh_ id")
    created = str(fields.get("CreateTime", ""))
    if not (created.isascii() and created.isdigit()):
        raise BadReply("CreateTime is not a number of seconds")
    kind = str(fields.get("MsgType"))
    if kind in _WORDLESS:
        return f"[{kind}]"
    if kind != "text":
        raise BadReply(f"MsgType {kind!r} is unknown to WeChat")
    content = str(fields.get("Content", ""))
    if not content.strip():
        raise BadReply("Content is empty")
    return content
