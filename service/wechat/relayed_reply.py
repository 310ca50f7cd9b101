"""Reads what a target answered to a push, and what of it the person may be told (docs/adr/0036).

A target speaks for itself in the account's chat. It must not answer questions of this service, so the links that
would do so are removed (service/wechat/chat_links.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.errors import Malformed
from models.events import Push
from service.wechat.chat_links import IsAnswer, without_answers
from service.wechat.forwarded_push import ForwardTarget
from service.wechat.message_tree import Fields, Tree, read_tree, write_tree
from service.wechat.parsing import Format
from service.wechat.signature import matches, sign

_NOTHING: Final = (b"", b"success")
_HEAD: Final = ("ToUserName", "FromUserName", "CreateTime")
_MOST_SKEW: Final = 300
"""Seconds by which the signed time of a reply may differ from now: targets may sign with their own clock."""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("Content",),
    "image": ("Image", "MediaId"),
    "voice": ("Voice", "MediaId"),
    "video": ("Video", "MediaId"),
    "music": ("Music",),
    "news": ("Articles",),
    "transfer_customer_service": (),
}
"""By MsgType, the field that must not be empty (wechat-protocol.md 3.4)."""

_STRUCTURES: Final = frozenset({"Image", "Voice", "Video", "Music", "Articles", "TransInfo"})
"""The fields that contain others; every other one is a text or a number."""


class Unusable(Exception):
    """An answer counts as no reply, for this reason. It quotes nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """A reply other than the service's own: MsgType and all that follows it."""

    fields: Fields


TO_CUSTOMER_SERVICE: Final = Relayed({"MsgType": "transfer_customer_service"})
"""WeChat hands the message to the account's human agents (wechat-protocol.md 3.4)."""


def read_reply(
    answer: bytes, target: ForwardTarget, *, to: Push, now: datetime, is_answer: IsAnswer
) -> Relayed | None:
    """Return the reply in *answer* to the push *to*, without links that could answer; None if it has none.

    Raises:
        Unusable: it is no reply to this person by this target.
    """
    if answer.strip() in _NOTHING:
        return None
    fields = _read(answer, target.format)
    if target.envelope is None:
        if "Encrypt" in fields:
            raise Unusable("is encrypted, but its mode is plain")
    else:
        fields = _read(_decrypted(fields, target, now=now), target.format)
    if (fields.get("ToUserName"), fields.get("FromUserName")) != (to.openid, to.gh_id):
        raise Unusable("is not addressed to the sender by the account")
    try:
        return Relayed(_checked({name: fields[name] for name in fields if name not in _HEAD}, is_answer))
    except ValueError as e:
        raise Unusable("has a character reference that cannot be read") from e


def written(reply: Relayed, *, to: Push, form: Format, now: datetime) -> bytes:
    """Return *reply* as a message in *form*, before encryption."""
    head: Fields = {"ToUserName": to.openid, "FromUserName": to.gh_id, "CreateTime": int(now.timestamp())}
    return write_tree({**head, **reply.fields}, form)


def _read(answer: bytes, form: Format) -> Fields:
    if answer.lstrip()[:1] != (b"<" if form is Format.XML else b"{"):
        raise Unusable(f"is not {form.upper()}")
    try:
        return read_tree(answer)
    except Malformed as e:
        raise Unusable(f"is not readable as {form.upper()}") from e


def _decrypted(fields: Fields, target: ForwardTarget, *, now: datetime) -> bytes:
    encrypt, signature, stamp, nonce = (
        str(fields.get(name, "")) for name in ("Encrypt", "MsgSignature", "TimeStamp", "Nonce")
    )
    if not encrypt or target.envelope is None:
        raise Unusable("is not encrypted, but its mode is safe")
    if not matches(sign(target.token, stamp, nonce, encrypt), signature):
        raise Unusable("is not signed with its token")
    if not (stamp.isascii() and stamp.isdigit()) or abs(int(stamp[:12]) - now.timestamp()) > _MOST_SKEW:
        raise Unusable("is older than five minutes, or the clocks differ")
    try:
        return target.envelope.open(encrypt)
    except Malformed as e:
        raise Unusable("is not encrypted with its aes_key and the account's appid") from e


def _checked(fields: Fields, is_answer: IsAnswer) -> Fields:
    kind = str(fields.get("MsgType", "")).strip()
    if kind not in _NEEDED:
        raise Unusable("has a MsgType that is none of a reply")
    cleaned = {**_parts(fields, is_answer), "MsgType": kind}
    needed: Tree = cleaned
    for name in _NEEDED[kind]:
        needed = needed.get(name, "") if isinstance(needed, Mapping) else ""
    if not (needed.strip() if isinstance(needed, str) else needed):
        raise Unusable("is empty, or is nothing but a link that could answer a question")
    if kind != "news":
        return cleaned
    if not isinstance(needed, list):
        raise Unusable("has no list of articles")
    return {**cleaned, "ArticleCount": len(needed)}


def _cleaned(value: Tree, is_answer: IsAnswer) -> Tree:
    match value:
        case str():
            return without_answers(value, is_answer)
        case int():
            return value
        case Mapping():
            return _parts(value, is_answer)
    return [_cleaned(one, is_answer) for one in value]


def _parts(fields: Fields, is_answer: IsAnswer) -> Fields:
    if any(not isinstance(value, str | int) for name, value in fields.items() if name not in _STRUCTURES):
        raise Unusable("has elements where a text belongs")  # a reader may join them: to a link that answers
    return {name: _cleaned(value, is_answer) for name, value in fields.items()}
