"""Reads short texts that people type, paste or dictate.

Spaces and punctuation around a text are ignored, inside it nothing: `4 7` and `147` are not 47 (contract.md 4).
"""

import re
import unicodedata
from typing import Final

_LONGEST: Final = 256
"""Characters. Normalising combining marks takes time that grows with the square of their number."""
_STYLES: Final = re.compile("[\ufe00-\ufe0f\u20e3\U000e0100-\U000e01ef]")
"""Variation selectors and the keycap: they only style the character before them, as in the emoji of a digit."""
_INVISIBLE: Final = frozenset({"Cc", "Cf"})
_AROUND: Final = frozenset("~`\u034f\u115f\u1160\u2800")
"""Used as punctuation or invisible, though Unicode files them under symbols, letters and marks."""
_GAPS: Final = re.compile(r"[\s,、]+")
_NUMERALS: Final = "零一二三四五六七八九"
_IN_CHINESE: Final = re.compile(f"[{_NUMERALS}十]{{2,}}")


def core(text: str) -> str:
    """Return *text* in NFKC without spaces, invisible characters and punctuation around it; '' if it is long."""
    if len(text) > _LONGEST:
        return ""
    shown = unicodedata.normalize("NFKC", _STYLES.sub("", text))
    start, end = 0, len(shown)
    while start < end and _surrounds(shown[start]):
        start += 1
    while start < end and _surrounds(shown[end - 1]):
        end -= 1
    return shown[start:end]


def two_digits(text: str) -> str | None:
    """Return the number in ASCII if *text* is two decimal digits of any script, else None."""
    digits = [unicodedata.decimal(character, None) for character in core(text)]
    return f"{digits[0]}{digits[1]}" if len(digits) == 2 and None not in digits else None


def words(text: str) -> str:
    """Return the words of *text* for comparison: without case, one space for each run of commas and spaces."""
    return _GAPS.sub(" ", core(text).casefold())


def spoken(recognised: str) -> str:
    """Return recognised speech, with numbers that were written in Chinese (四十七, 四七) in two digits."""
    said = core(recognised)
    written = "10" if said == "十" else _IN_CHINESE.sub(_in_digits, said)
    return recognised if written == said else written


def _in_digits(number: re.Match[str]) -> str:
    tens, ten, ones = number[0].partition("十")
    pair = (tens or "一") + (ones or "零") if ten else number[0]
    if len(pair) != 2 or "十" in pair:
        return number[0]
    return "".join(str(_NUMERALS.index(numeral)) for numeral in pair)


def _surrounds(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "PZ" or category in _INVISIBLE or character in _AROUND
