"""Strict parsing of untrusted JSON: no duplicate keys, no NaN or Infinity."""

import json
from typing import Any, NoReturn


class RepeatedKeyError(ValueError):
    """An object has a duplicate key; parsers differ in which of the two values they use."""


def loads(text: str, *, controls: bool = False) -> Any:
    """Parse *text*; with *controls*, strings may hold control characters as they are.

    Raises:
        RepeatedKeyError: an object has a duplicate key.
        ValueError: *text* is not JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, strict=not controls)


def check_text(value: Any) -> None:
    """Check that no string in *value* has a lone surrogate, which cannot be encoded as UTF-8.

    Raises:
        ValueError: one has.
    """
    json.dumps(value, ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise RepeatedKeyError("duplicate key")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
