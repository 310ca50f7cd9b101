"""Texts are read as people type, paste and say them.

Red when `core` leaves out normalisation, styles, or a class of what it drops; each listed member is red by itself.
"""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.typed_text import core, spoken, two_digits, words

AROUND = (
    " \t\n\u3000\u00a0\u200b\u200d\u200e\ufeff\u2060\x08\x1d\x7f\u0085\ufe0f"
    ".,!?:;~…-_·'\"()[]{}、。，！？：；～“”‘’「」『』【】《》（）｡"
)
decorations = st.text(AROUND, max_size=20)
DIGITS = [
    "0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    [f"{digit}\ufe0f\u20e3" for digit in range(10)], [f"{digit}\u20e3" for digit in range(10)],
    [f"{digit}\ufe0e" for digit in range(10)],
]  # fmt: skip


@pytest.mark.parametrize("script", DIGITS, ids=lambda script: script[4])
def test_a_digit_of_any_script_or_style_is_a_digit(script: str | list[str]) -> None:
    assert [two_digits(script[4] + script[number]) for number in range(10)] == [
        f"4{number}" for number in range(10)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "47。", "47.", "47！", "【47】", "“47”", "「47」", "(47)", "（４７）", "《47》", "'47'", "47~", "47～",
        "、47", "\u200b47", "47\u200d", "\ufeff47", "\u202a47\u202c", "47\x1d", "47\x08", "47\n", "\u300047",
        "47\ufe0f", "47\u2800", "\u3164 47", " ... 47 ... ",
    ],
)  # fmt: skip
def test_what_stands_around_a_number_is_dropped(text: str) -> None:
    assert two_digits(text) == "47"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "4", "147", "470", "0047", "4 7", "4.7", "4-7", "4\u200b7", "4\n7", "47 47", "47+", "+47", "$47",
        "47°", "<47>", "47a", "x47", "47号", "47 please", "四七", "四十七", "½", "4②7", "47👍", "4²7", "47\u0301",
        "47" + " " * 300,
    ],
)  # fmt: skip
def test_nothing_is_dropped_inside_or_beside_other_characters(text: str) -> None:
    """Red when anything but styles is dropped between digits: 147 and 4 7 are not 47."""
    assert two_digits(text) is None


@given(st.sampled_from(DIGITS), st.integers(0, 99), decorations, decorations)
def test_a_decorated_number_is_the_number(script: str | list[str], number: int, before: str, after: str) -> None:
    tens, ones = divmod(number, 10)
    assert two_digits(before + script[tens] + script[ones] + after) == f"{number:02}"


@given(st.text(max_size=40) | st.text(AROUND + "047４７", max_size=12))
def test_only_two_decimal_digits_side_by_side_are_a_number(text: str) -> None:
    number = two_digits(text)
    digits = [str(unicodedata.decimal(one)) for one in unicodedata.normalize("NFKC", text) if one.isdecimal()]
    assert number is None or number == "".join(digits)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes, that is me", "yes that is me"),
        ("  YES ,THAT  IS\nME!! ", "yes that is me"),
        ("“是我，继续”。", "是我 继续"),
        ("是我、继续", "是我 继续"),
        ("Ｎｏｔ　ｍｅ", "not me"),
        ("不，是我", "不 是我"),
        ("a.b", "a.b"),
        ("。。。", ""),
    ],
)
def test_words_are_compared_without_case_commas_and_what_is_around(text: str, said: str) -> None:
    assert words(text) == said


@pytest.mark.parametrize(
    ("recognised", "text"),
    [
        ("四十七。", "47"), ("四七", "47"), ("五十", "50"), ("十二！", "12"), ("十", "10"), ("零七", "07"),
        ("47。", "47。"), ("不是我。", "不是我。"), ("一百四十七", "一百47"), ("四", "四"), ("4四十七", "447"),
        ("嗯，四十七。", "嗯,47"), ("是四七吧", "是47吧"), ("四十七号", "47号"), ("十分感谢", "十分感谢"),
        ("十十", "十十"), ("四百", "四百"), ("二十四七", "二十四七"), ("四十七四十七", "四十七四十七"), ("", ""),
    ],
)  # fmt: skip
def test_a_spoken_number_is_read_in_characters_as_well(recognised: str, text: str) -> None:
    assert spoken(recognised) == text


@given(st.text("零一二三四五六七八九十百47 ，。号是", max_size=6))
def test_what_is_said_around_a_number_makes_no_number_of_it(recognised: str) -> None:
    """Red when `spoken` drops what it does not read."""
    rest = core(recognised)
    whole = rest == "十" or not set(rest) - set("零一二三四五六七八九十")
    assert two_digits(spoken(recognised)) is None or whole or two_digits(recognised)


def test_a_long_text_is_no_answer_and_costs_no_time() -> None:
    """Red when `core` normalises texts of any length: this one would take minutes."""
    began = time.process_time()
    assert core("\u0315\u0300" * 30_000) == ""
    assert time.process_time() - began < 1
