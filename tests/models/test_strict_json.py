"""Ambiguous JSON is refused."""

from typing import Any

import pytest

from models import strict_json


@pytest.mark.parametrize(("text", "value"), [('{"a": {"b": [1, "é"]}}', {"a": {"b": [1, "é"]}}), ("3", 3)])
def test_json_is_read(text: str, value: Any) -> None:
    assert strict_json.loads(text) == value


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]'])
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    """Red when `_once` compares nothing."""
    with pytest.raises(strict_json.RepeatedKeyError):
        strict_json.loads(text)


@pytest.mark.parametrize("text", ["NaN", '{"a": -Infinity}', "{", "", "'a'"])
def test_what_is_no_json_is_refused(text: str) -> None:
    """Red when `_refuse` returns: Python reads NaN by itself."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        strict_json.loads(text)


def test_half_a_surrogate_pair_is_no_text() -> None:
    """Red when `check_text` does not encode."""
    strict_json.check_text({"a": ["😀"]})
    with pytest.raises(ValueError):  # noqa: PT011 - a UnicodeEncodeError
        strict_json.check_text({"a": [strict_json.loads(r'"\ud83d"')]})


def test_control_characters_stand_in_strings_only_where_they_may() -> None:
    """Red when `controls` is ignored, or on by itself."""
    assert strict_json.loads('{"a":"\x02\n"}', controls=True) == {"a": "\x02\n"}
    with pytest.raises(ValueError, match="control character"):
        strict_json.loads('{"a":"\x02"}')
