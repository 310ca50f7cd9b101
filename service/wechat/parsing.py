"""Parses the bytes of a push into an Event. The first character decides the format, not the Content-Type."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from xml.etree.ElementTree import ParseError, fromstring

import defusedxml.ElementTree as SafeTree

from models import strict_json
from models.errors import Malformed
from models.events import Event, OpenId, Other, Revoked, Scan, Subscribed, TextMessage, Unsubscribed
from models.typed_text import spoken

Fields = Mapping[str, str | int]
"""Top-level values of a push. Nested elements are left out: no event needs them."""

_BOM: Final = b"\xef\xbb\xbf"
# Linear in the body's length: possessive, and no attempt reads past the `<` or `"` where the next may begin.
_XML_SEALED: Final = re.compile(rb"<Encrypt\s*+>\s*+(?:<!\[CDATA\[([^\]<]*+)\]\]>|([^<]*+))\s*+</Encrypt\s*+>")
_JSON_SEALED: Final = re.compile(rb'"Encrypt"\s*+:\s*+("(?:[^"\\]++|\\.)*+")', re.DOTALL)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,9}")
_DROPPED: Final = "\ufdd0"
"""Stands for what cannot be read until the document is parsed: a noncharacter, which XML allows.

Dropped earlier, `]]` and `>` with a control character between them would close a CDATA section.
"""
_UNREADABLE: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 forbids; bytes that are no UTF-8 are lone surrogates here."""
_XML_REFERENCE: Final = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)"  # here `&#2;` is what a person wrote
    r"|&#(?:x(?P<hexadecimal>[0-9A-Fa-f]++)|(?P<decimal>[0-9]++));",
    re.DOTALL,
)
_BLANK: Final = " \t\r\n"  # not control characters: next to a scene they are part of it
_SERIAL: Final = frozenset({"MsgID"})
"""Tells events of one second apart that have no EventKey, about sent messages (wechat-protocol.md 3.3)."""
_SCENE_PREFIX: Final = "qrscene_"
_CLOSED: Final = "user_authorization_cancellation"


class Format(StrEnum):
    """Format of a push, and so of its reply."""

    XML = "xml"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Document:
    """A decoded body, before it becomes an event."""

    format: Format
    fields: Fields


def read(body: bytes) -> Document:
    """Decode an XML or JSON body (UTF-8) into its top-level values. Raises Malformed.

    People paste control characters into the chat, and WeChat passes them on, though XML forbids them. Each of
    them, and each byte that is no UTF-8, becomes one `_DROPPED`.
    """
    try:
        text = _UNREADABLE.sub(_DROPPED, body.removeprefix(_BOM).decode(errors="surrogateescape"))
        text = text.strip(_BLANK + _DROPPED)
        form = _SNIFFED[text[:1]]
        return Document(form, _DECODERS[form](text))
    except (KeyError, ValueError, ParseError, RecursionError) as fault:  # what defusedxml forbids is a ValueError
        raise Malformed("body") from fault


def sealed_values(body: bytes) -> Iterator[str]:
    """Yield what looks like a value of `Encrypt` in *body*, without parsing the document.

    A match may be in a comment, in a nested element or, in compatible mode, in a chat message: the caller must
    `read` the document and compare.
    """
    text = body.removeprefix(_BOM).lstrip()
    form, decode = (_XML_SEALED, _text) if text.startswith(b"<") else (_JSON_SEALED, _string)
    for found in form.finditer(text):
        # Surrounding whitespace is not signed (wechat-protocol.md 9). An empty value would match `signature`.
        if value := decode(found[found.lastindex or 0]).strip():
            yield value


def _text(characters: bytes) -> str:
    return characters.decode(errors="replace")


def _string(literal: bytes) -> str:
    """Decode a JSON string; return '' if it is malformed."""
    try:
        return str(json.loads(literal))
    except ValueError:
        return ""


def understand(fields: Fields) -> Event:
    """Convert *fields* to an event (wechat-protocol.md 3.3). Raises Malformed if a mandatory field is missing."""
    kind = _word(fields, "MsgType").lower()
    if not kind:
        raise Malformed("MsgType")
    # one framework writes Event in lower case (wechat-protocol.md 9); the case of the scene is significant
    name = _word(fields, "Event").lower() if kind == "event" else ""
    return _READERS.get((kind, name), _other)(_head(fields, name), fields)


def _from_xml(text: str) -> Fields:
    if "&#" in text:  # rarely; looking for the references takes as long as parsing
        text = _XML_REFERENCE.sub(_readable, text)
    # A body that begins with its root element, as WeChat's do, cannot declare what defusedxml forbids: XML 1.0
    # allows declarations before the root only. The parser in C reads a scan in 16 us, defusedxml's in 40.
    declares = not text.startswith("<xml")
    root = SafeTree.fromstring(text, forbid_dtd=True) if declares else fromstring(text)  # noqa: S314
    if root.tag != "xml":
        raise ValueError("the root element is not xml")
    tags = [child.tag for child in root]
    if len(set(tags)) != len(tags):
        raise ValueError("duplicate element")
    return {child.tag: child.text or "" for child in root if not len(child)}


def _readable(found: re.Match[str]) -> str:
    """Return a character reference, or `_DROPPED` if XML forbids its character."""
    digits = found["hexadecimal"] or found["decimal"]
    if digits is None:
        return found[0]
    # eight digits are beyond the last character, however many follow
    code = int(digits.lstrip("0")[:8] or "0", 16 if found["hexadecimal"] else 10)
    return _DROPPED if code > sys.maxunicode or _UNREADABLE.match(chr(code)) else found[0]


def _from_json(text: str) -> Fields:
    values = strict_json.loads(text, controls=True)
    flat = {name: value for name, value in values.items() if type(value) in (str, int)}
    return {name: _UNREADABLE.sub(_DROPPED, one) if isinstance(one, str) else one for name, one in flat.items()}


_SNIFFED: Final = {"<": Format.XML, "{": Format.JSON}
_DECODERS: Final[Mapping[Format, Callable[[str], Fields]]] = {Format.XML: _from_xml, Format.JSON: _from_json}


def _head(fields: Fields, name: str) -> dict[str, Any]:
    """Return the validated fields of models.events.Push."""
    openid = _checked(_ID, fields, "FromUserName")
    created = _checked(_SECONDS, fields, "CreateTime")
    # More than the MsgId: events have none, and one was observed twice (wechat-protocol.md 3.4).
    message = "MsgId", "Content" if "Content" in fields else "Recognition"
    identifying = ("EventKey", *_SERIAL & fields.keys()) if name else message
    return {
        "openid": OpenId(openid),
        "gh_id": _checked(_ID, fields, "ToUserName"),
        "created": int(created),
        "key": _digest(openid, created, name, *(_word(fields, one) for one in identifying)),
    }


def _scan(head: dict[str, Any], fields: Fields) -> Event:
    scene = _word(fields, "EventKey")
    return Scan(**head, scene=scene, followed=False) if scene else Other(**head)


def _subscribe(head: dict[str, Any], fields: Fields) -> Event:
    # Only the first prefix: a scene may contain it. `last_trade_no_...` is not a scene (wechat-protocol.md 9).
    key = _word(fields, "EventKey")
    scene = key.removeprefix(_SCENE_PREFIX)
    return Scan(**head, scene=scene, followed=True) if scene and scene != key else Subscribed(**head)


def _unsubscribe(head: dict[str, Any], _fields: Fields) -> Event:
    return Unsubscribed(**head)


def _revoked(head: dict[str, Any], fields: Fields) -> Event:
    # FromUserName may be another person, and several revocations may share all that `key` is made of.
    openid, appid = _word(fields, "OpenID"), _word(fields, "AppID")
    named = bool(_ID.fullmatch(openid))
    whose = {"openid": OpenId(openid)} if named else {}
    key = _digest(head["key"], openid, appid)
    closed = _word(fields, "Event").lower() == _CLOSED
    return Revoked(**(head | whose | {"key": key}), appid=appid, closed=closed, named=named)


def _message(head: dict[str, Any], fields: Fields) -> Event:
    return TextMessage(**head, text=_said(fields, "Content"))


def _voice(head: dict[str, Any], fields: Fields) -> Event:
    said = _said(fields, "Recognition")  # absent unless speech recognition is switched on
    return TextMessage(**head, text=spoken(said)) if said else Other(**head)


def _said(fields: Fields, name: str) -> str:
    return str(fields.get(name, "")).replace(_DROPPED, "")


def _other(head: dict[str, Any], _fields: Fields) -> Event:
    return Other(**head)


_READERS: Final[Mapping[tuple[str, str], Callable[[dict[str, Any], Fields], Event]]] = {
    ("event", "scan"): _scan,
    ("event", "subscribe"): _subscribe,
    ("event", "unsubscribe"): _unsubscribe,
    ("event", "user_authorization_revoke"): _revoked,
    ("event", _CLOSED): _revoked,
    ("text", ""): _message,
    ("voice", ""): _voice,
}


def _word(fields: Fields, name: str) -> str:
    return str(fields.get(name, "")).strip(_BLANK)


def _checked(form: re.Pattern[str], fields: Fields, name: str) -> str:
    word = _word(fields, name)
    if not form.fullmatch(word):
        raise Malformed(name)
    return word


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
