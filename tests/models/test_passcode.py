"""Red when a passcode is read in fewer ways than people type it, or when other texts are read as one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.confirmation import could_answer
from models.passcode import ALPHABET, LENGTH, drawn, grouped, read_passcode

CODE = "K7MP2QXR"
CODES = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


def test_the_alphabet_has_32_letters_and_no_look_alikes() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not set(ALPHABET) & set("01IO")
    assert ALPHABET.upper() == ALPHABET


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        "k7mp2qxr",
        "K7MP 2QXR",
        "K7MP-2QXR",
        "K7MP—2QXR",
        "K 7 M P 2 Q X R",
        "\u3000Ｋ７ＭＰ　２ＱＸＲ",
        "ｋ７ｍｐ２ｑｘｒ",
        "k7mp\u200b2qxr\ufeff",
        "K7MP\n2QXR",
        "【K7MP 2QXR】",
        "K7MP 2QXR。",
        "𝐊𝟕𝐌𝐏 𝟐𝐐𝐗𝐑",
    ],
)
def test_spaces_case_width_and_punctuation_around_do_not_matter(text: str) -> None:
    assert read_passcode(text) == CODE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "47",
        "K7MP2QX",
        "K7MP2QXRR",
        "K7MP2QX0",
        "K7MP2QXI",
        "K7MP.2QXR",
        "my code is K7MP2QXR",
        "验证码K7MP2QXR",
        "K7MP2QXR " * 40,
        "Κ7ΜΡ2QXR",  # Greek
    ],
)
def test_other_texts_are_no_passcode(text: str) -> None:
    assert read_passcode(text) is None


@given(st.binary(min_size=5, max_size=32))
def test_what_is_drawn_and_grouped_is_read_again(digest: bytes) -> None:
    code = drawn(digest)
    assert read_passcode(grouped(code).lower()) == code
    assert grouped(code).replace(" ", "") == code
    assert len(grouped(code)) == LENGTH + 1


def test_each_of_the_40_bits_selects_another_code() -> None:
    digests = [bytes(5), *((1 << bit).to_bytes(5, "big") for bit in range(40))]
    assert len({drawn(digest) for digest in digests}) == 41


@given(CODES)
def test_no_passcode_is_an_answer_to_a_question(code: str) -> None:
    for text in (code, grouped(code), code.lower()):
        assert not could_answer(text)


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    code = read_passcode(text)
    assert code is None or (len(code) == LENGTH and set(code) <= set(ALPHABET))
    assert code is None or read_passcode(unicodedata.normalize("NFKC", text)) == code
