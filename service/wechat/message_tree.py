"""Messages as trees: reads the XML or JSON of a message at any depth, and writes either.

A list is written in XML as one `item` for each of its members, as news replies have them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as SafeTree

from models import strict_json
from models.errors import Malformed
from service.wechat.parsing import Format
from service.wechat.replies import UNSAYABLE, sayable

Tree: TypeAlias = "str | int | Mapping[str, Tree] | Sequence[Tree]"
Fields = Mapping[str, Tree]

_BOM: Final = b"\xef\xbb\xbf"
_DEEPEST: Final = 6
_ITEM: Final = "item"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_NUMBERS: Final = frozenset({"CreateTime", "MsgId", "MsgID", "MenuId", "ArticleCount"})
"""What is a number in JSON, and without CDATA in XML (wechat-protocol.md 3.3)."""
_REPLACEMENT: Final = "\ufffd"


def read_tree(body: bytes) -> Fields:
    """Decode an XML or JSON message (UTF-8). Raises Malformed."""
    try:
        text = UNSAYABLE.sub(_REPLACEMENT, body.removeprefix(_BOM).decode()).strip()
        tree = _of_element(_root(text), 0) if text.startswith("<") else _of_json(strict_json.loads(text), 0)
    except (ValueError, ParseError, RecursionError) as fault:  # what defusedxml forbids is a ValueError
        raise Malformed("body") from fault
    if not isinstance(tree, Mapping):
        raise Malformed("body")
    return tree


def write_tree(fields: Fields, form: Format) -> bytes:
    """Serialize *fields* as WeChat does."""
    if form is Format.XML:
        return f"<xml>{_elements(fields)}</xml>".encode()
    return json.dumps(_numbered(fields), ensure_ascii=False).encode()


def _root(text: str) -> Element:
    root: Element = SafeTree.fromstring(text, forbid_dtd=True)
    if root.tag != "xml":
        raise ValueError("the root element is not xml")
    return root


def _of_element(element: Element, depth: int) -> Tree:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if not len(element):
        return element.text or ""
    parts = [(child.tag, _of_element(child, depth + 1)) for child in element]
    if all(tag == _ITEM for tag, _ in parts):
        return [part for _, part in parts]
    fields = {_checked(tag): part for tag, part in parts}
    if len(fields) < len(parts):
        raise ValueError("duplicate element")
    return fields


def _of_json(value: object, depth: int) -> Tree:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    match value:
        case bool() | float():
            return json.dumps(value)
        case str():
            return sayable(value)
        case int():
            return value
        case None:
            return ""
        case list():
            return [_of_json(one, depth + 1) for one in value]
        case dict():
            return {_checked(name): _of_json(one, depth + 1) for name, one in value.items()}
    raise ValueError("not JSON")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):  # it becomes a tag
        raise ValueError("the name of a field")
    return name


def _elements(fields: Fields) -> str:
    return "".join(f"<{name}>{_content(name, value)}</{name}>" for name, value in fields.items())


def _content(name: str, value: Tree) -> str:
    match value:
        case Mapping():
            return _elements(value)
        case str() if not (name in _NUMBERS and _NUMBER.fullmatch(value)):
            return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"
        case str() | int():
            return str(value)
    return "".join(f"<{_ITEM}>{_content(_ITEM, one)}</{_ITEM}>" for one in value)


def _numbered(fields: Fields) -> dict[str, Tree]:
    return {
        name: int(value) if name in _NUMBERS and isinstance(value, str) and _NUMBER.fullmatch(value) else value
        for name, value in fields.items()
    }
