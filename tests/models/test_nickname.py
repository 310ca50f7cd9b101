"""Nicknames as shown in chat and pages. Red when one can be a link, hides text, covers lines or is cut in two."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.nickname import LONGEST, clean_nickname

FAMILY = "👨‍👩‍👧‍👦"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
ZALGO = "Z" + "\u0322\u0310" * 40
BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NOISE = st.text(
    st.sampled_from(
        "aZ5.。/:<&@ \t\u200b\u200d\ufe0f\u20e3\u0301\u0344\u0e33\u202e\ud83d👩👧🏽🏴🇨🇳❤\U000e0067\U000e007f龙ي"
    )
)


@pytest.mark.parametrize(
    "name",
    ["Anna", "小林", "أحمد", "דוד בן־גוריון", "Zoë Núñez", "J·K·罗琳", "1️⃣", "❤️", "👍🏽", "🇨🇳🇩🇪", FAMILY, SCOTLAND,
     "🏳️‍🌈", "👩🏻‍❤️‍💋‍👨🏻", "\U0001faea", "नमस्ते", "Nguyễn", "น้ำผึ้ง", "བཀྲ་ཤིས", "。", "Ask me...", "C#", "~*~"],
)  # fmt: skip
def test_an_ordinary_nickname_stays_as_it_is(name: str) -> None:
    """Red when a joiner inside an emoji is dropped, or an emoji that is newer than Python's tables."""
    assert clean_nickname(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Anna \t\r\n\u3000 Lee\u2028", "Anna Lee"),
        ("a\tb\nc\u2028d", "a b c d"),
        ("\u1112\u200b\u1161", "하"),
        ("a\ufe0f\u034fb", "ab"),
        ("a\x00\x07\x14\x1b\x7fb\x9f", "ab"),
        (f"{BIDI}evil{BIDI}", "evil"),
        ("a\u200b\ufeff\u00ad\u2060\u3164\u2800\u115f\u034f\ufe0f\ue000\ufdd0b", "ab"),
        ("👩\u200d", "👩"),
        ("\u200d👩\u200d\u200dx", "👩x"),
        ("🏴\U000e0067\U000e0062", "🏴"),
        ("\ud83dAnna\udc00", "Anna"),
        ("\u0301\u0301a", "a"),
        ("a \u0301b", "a b"),
        ("e\u0301", "é"),
        (ZALGO, "Z\u0322\u0322\u0322\u0322"),
        ("<a href='https://evil.example/'>Anna</a>", "a href='https evil·example ' Anna a"),
        ("A&amp;B", "A amp;B"),
        ("http://evil.example", "http evil·example"),
        ("evil.com/x", "evil·com x"),
        ("ｅｖｉｌ．ｃｏｍ 中国。中国 evil｡com 1.2.3.4", "ｅｖｉｌ·ｃｏｍ 中国·中国 evil·com 1·2·3·4"),
        ("😀.ws ❤️.com e\u0301.com x.\u0301com", "😀·ws ❤️·com é·com x·\u0301com"),
        ("evil\u200b.\u200bcom", "evil·com"),
        ("me@evil.example", "me@evil·example"),
        ("weixin:\\\\dl", "weixin dl"),
    ],
    ids=["white space", "lines", "parts of a syllable", "styles",
         "controls", "bidi", "invisible", "joiner at the end", "joiners alone", "tags without end",
         "surrogates", "marks first", "mark on a space", "composed", "zalgo", "markup", "entity", "address",
         "host", "other dots", "host after an emoji", "dot between invisible", "mail address", "scheme"],
)  # fmt: skip
def test_what_is_no_part_of_a_name_is_removed(text: str, name: str) -> None:
    assert clean_nickname(text) == name


@pytest.mark.parametrize("text", ["", " \n", BIDI, "\u3164\u2800", "\u0301", "\ud83d", "</>", "\u200d\ufe0f"])
def test_a_text_without_a_visible_character_is_no_nickname(text: str) -> None:
    assert clean_nickname(text) is None


def test_a_long_text_is_not_read_to_its_end() -> None:
    """Red when all of it is normalised: a hundred thousand marks in a row take minutes."""
    assert clean_nickname("\u200b" * 511 + "ab") == "a"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("😀" * 200, "😀" * 64),
        ("龙" * 65, "龙" * 64),
        (FAMILY * 10, FAMILY * 9),
        ("x" + "🇨🇳" * 40, "x" + "🇨🇳" * 31),
        ("x" * 63 + "👍🏽", "x" * 63),
        ("x" * 62 + "❤️❤️", "x" * 62 + "❤️"),
        ("x" * 63 + " y", "x" * 63),
        ("x" * 63 + "q\u0323\u0301", "x" * 63),
    ],
    ids=["emoji", "Chinese", "families", "flags", "skin tone", "style", "space", "marks"],
)
def test_a_long_nickname_is_cut_between_characters(text: str, name: str) -> None:
    """Red when the cut halves an emoji or leaves a character without its marks."""
    assert clean_nickname(text) == name


@given(st.one_of(st.text(), NOISE))
@example(ZALGO)
@example("\u200b \u0301x")
def test_any_text_is_cleaned_to_what_cleaning_leaves_alone(text: str) -> None:
    name = clean_nickname(text)
    assert name is None or clean_nickname(name) == name


@given(st.one_of(st.text(st.characters(), max_size=2000), NOISE))
def test_no_text_brings_through_what_a_page_or_chat_would_act_on(text: str) -> None:
    name = clean_nickname(text)
    if name is None:
        return
    name.encode()  # raises for a lone surrogate
    assert 0 < len(name) <= LONGEST
    assert name == " ".join(name.split())
    assert not set(name) & set("<>&/\\:" + BIDI)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Co"} for c in name)
    assert not re.search(r"\w\.\w|\w。\w", name)
    assert not name.endswith("\u200d")


@given(NOISE)
def test_a_joiner_is_kept_between_two_parts_of_an_emoji_alone(text: str) -> None:
    name = clean_nickname(text) or ""
    assert not re.search("(?:^|[a-zA-Z5龙ي ])\u200d|\u200d(?:$|[a-zA-Z5龙ي ])", name)
