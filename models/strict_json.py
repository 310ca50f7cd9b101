"""Parses JSON that strangers send: no key twice in one object, no NaN or Infinity."""

import json
from typing import Any, NoReturn


class RepeatedKeyError(ValueError):
    """A key stands twice in one object, of which readers take one or the other."""


def loads(text: str) -> Any:
    """Return what *text* says.

    Raises:
        RepeatedKeyError: a key stands twice in one object.
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)


def check_text(value: Any) -> None:
    """Check that all text in *value* is Unicode: half a surrogate pair can neither be stored nor compared.

    Raises:
        ValueError: it is not.
    """
    json.dumps(value, ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise RepeatedKeyError("a key stands twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
