"""Reads and validates JSON bodies strictly, where an error names the field; and the bodies of our own forms."""

import asyncio
import unicodedata
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qs

from aiohttp import web
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from handlers.http.responses import listed
from models import strict_json
from models.errors import InvalidRequest, UnsupportedMediaType
from models.tables.columns import NAME

T = TypeVar("T")

_ARRIVES_WITHIN: Final = 10.0
"""Seconds, so that a client cannot occupy a connection by sending its body slowly."""
FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 8
_MESSAGES: Final = {
    "missing": "is missing",
    "extra_forbidden": "unknown field",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "model_type": "the body must be an object",
    "union_tag_not_found": "purpose: is missing",
    "union_tag_invalid": "purpose: must be login or bind",
}
"""Our messages for pydantic's error types, where they are plainer."""


async def read(request: web.Request, shape: TypeAdapter[T]) -> T:
    """Return the request's JSON body as *shape*.

    Raises:
        UnsupportedMediaType: its media type is not JSON, or it is compressed.
        PayloadTooLarge: (from aiohttp) it is larger than the service accepts.
        InvalidRequest: it does not arrive in time, is not JSON in UTF-8, repeats a key, or a field is missing,
            unknown or out of range.
    """
    return parse(await read_bytes(request, "application/json"), shape)


def parse(body: bytes, shape: TypeAdapter[T]) -> T:
    """Return JSON as *shape*.

    Raises:
        InvalidRequest: it is not JSON in UTF-8, repeats a key, or a field is missing, unknown or out of range.
    """
    try:
        fields = strict_json.loads(body.decode())
        strict_json.check_text(fields)
    except strict_json.RepeatedKeyError as e:
        raise InvalidRequest("the body repeats a key") from e
    except (ValueError, RecursionError) as e:
        raise InvalidRequest("the body is not JSON in UTF-8") from e
    return check(shape, fields)


async def read_bytes(request: web.Request, media_type: str) -> bytes:
    """Return the request's body, which must be of *media_type*.

    Raises:
        UnsupportedMediaType: it is of another media type, or compressed.
        PayloadTooLarge: (from aiohttp) it is larger than the service accepts.
        InvalidRequest: it does not arrive in time.
    """
    if request.content_type != media_type:
        raise UnsupportedMediaType(f"the body must be {media_type}")
    refuse_compressed(request)
    try:
        async with asyncio.timeout(_ARRIVES_WITHIN):
            return await request.read()
    except TimeoutError as e:
        raise InvalidRequest("the body did not arrive in time") from e


async def read_form(request: web.Request) -> Mapping[str, list[str]]:
    """Return the fields of a form's body, each with its values.

    Raises:
        UnsupportedMediaType, PayloadTooLarge: as `read`.
        InvalidRequest: it does not arrive in time, is not UTF-8, or has more fields than any form of ours.
    """
    body = await read_bytes(request, FORM)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as e:
        raise InvalidRequest("the body is not a form of this service in UTF-8") from e


def refuse_compressed(request: web.Request) -> None:
    """Refuse a compressed body before it is read: a small one could expand to a huge one.

    Raises:
        UnsupportedMediaType: it has a Content-Encoding other than identity.
    """
    codings = listed(request, "Content-Encoding").split(",")
    if any(coding.strip().lower() not in ("", "identity") for coding in codings):
        raise UnsupportedMediaType("the body must not be compressed")


def check(shape: TypeAdapter[T], value: object, *, name: str = "") -> T:
    """Validate *value* and return it as *shape*; *name* is its name in an error.

    Raises:
        InvalidRequest: it is not valid.
    """
    try:
        return shape.validate_python(value)
    except ValidationError as e:
        faults = e.errors(include_input=False, include_url=False, include_context=False)
        raise InvalidRequest("; ".join(_fault(fault, name) for fault in faults[:5])) from None


def _fault(fault: ErrorDetails, name: str) -> str:
    # The path contains the union's tag, which is not a field, and field names as the caller wrote them.
    path = [str(part) for part in fault["loc"] if part not in ("login", "bind")]
    where = ".".join(path) or name
    words = _MESSAGES.get(fault["type"], fault["msg"].removeprefix("Value error, ").lower())
    return f"{shown(where)}: {words}" if where else words


def could_name(text: str) -> bool:
    """Tell whether *text* is a possible account name; others are not looked up in SQL."""
    return len(text) <= NAME and text.isprintable()  # PostgreSQL would fail on a NUL


def shown(text: str) -> str:
    """Return a name that the caller sent, shortened and cleaned for a one-line message."""
    return "".join(c if unicodedata.category(c)[0] in "LNP" else "?" for c in text[:64])
