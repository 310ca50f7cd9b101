"""Numbers in a YAML file are decimal, and its faults quote no value.

Red when `_Loader` reads 0123 as 83 and 1:30 as 90, as YAML 1.1 does.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.config.settings import _SHAPES, ConfigError, load
from service.config.yaml_file import UnreadableError, read_file


@pytest.mark.parametrize("text", ["0600", "0x258", "1_0", "10:00", "+0b11"])
def test_a_number_that_is_read_in_more_than_one_way_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"tickets: {{login_lifetime: {text}}}")
    with pytest.raises(ConfigError, match=r"^tickets.login_lifetime: must be a whole number$"):
        load(file, {})


def test_decimal_numbers_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("tickets: {login_lifetime: 60}\nlimits: {waiting: 0}")
    loaded = load(file, {})
    assert (loaded.tickets.login_lifetime, loaded.limits.waiting) == (60, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40) | st.text("a: -\n\t\"'“：　#&*!|>@%[]{},0", max_size=40).map(str.encode))
def test_any_file_is_read_or_named_as_unreadable(tmp_path: Path, content: bytes) -> None:
    """Red when an error of PyYAML is not caught."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    try:
        values, lines = read_file(file, keys=_SHAPES.keys)
    except UnreadableError as error:
        values, lines = {}, [str(error)]
    assert isinstance(values, dict)
    assert all(line.isprintable() for line in lines)


def test_a_name_may_have_a_full_width_colon_and_quotes_in_quotes(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text('a: 示例：主站\nb: "“店”"\nc: x：y', "utf-8")
    assert read_file(file, keys=frozenset(("server",))) == ({"a": "示例：主站", "b": "“店”", "c": "x：y"}, [])
