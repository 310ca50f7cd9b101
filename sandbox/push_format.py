"""Serializes and parses pushes and replies, as XML or JSON (wechat-protocol.md 3.3). Pure."""

import json
from collections.abc import Mapping
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sandbox.account import Format

Fields = Mapping[str, str | int]
"""The elements of a push or reply, in order; in XML, strings are written as CDATA and numbers are not."""


class Unreadable(Exception):
    """The body is not in the expected format; the message gives the reason."""


def write(fields: Fields, fmt: Format) -> bytes:
    """Serialize the fields as WeChat does."""
    if fmt == "json":
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    inside = "".join(f"<{name}>{_shown(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inside}</xml>".encode()


def read(body: bytes, fmt: Format) -> dict[str, str]:
    """Return the top-level fields of a reply; a nested field becomes an empty string. Raises Unreadable."""
    if fmt == "json":
        return _read_json(body)
    if not body.lstrip().startswith(b"<"):
        raise Unreadable("not XML, though the push was XML")
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as e:
        raise Unreadable(f"not readable as XML: {type(e).__name__}") from e
    if root.tag != "xml":
        raise Unreadable("the root element is not <xml>")
    return {child.tag: child.text or "" for child in root}


def _read_json(body: bytes) -> dict[str, str]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise Unreadable("not JSON, though the push was JSON") from e
    if not isinstance(value, dict):
        raise Unreadable("JSON, but not an object")
    return {name: "" if isinstance(field, dict | list) else str(field) for name, field in value.items()}


def _shown(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "<![CDATA[" + value.replace("]]>", "]]]]><![CDATA[>") + "]]>"
