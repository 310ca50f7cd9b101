"""Sanitizes nicknames, which people choose and which the chat and pages show: replies render links."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Final

from models.requester import MARKUP

LONGEST: Final = 64
"""Code points. WeChat allows half as many."""
_MOST_MARKS: Final = 4
"""Combining marks on one character: more than any language in use needs, less than covers the line above."""
_READ: Final = 8 * LONGEST
"""Code points that are looked at: normalising takes time that grows with the square of the marks in a row."""

_PICTOGRAPH: Final = (
    "["
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934-\u2935\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
    "]"
)
"""Blocks, not code points: emoji that are newer than Python's tables must stay whole as well."""
_STYLED: Final = f"{_PICTOGRAPH}(?:\ufe0f|[\U0001f3fb-\U0001f3ff])?"
_EMOJI: Final = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"  # a flag: two regional indicators
    "|[0-9#*]\ufe0f?\u20e3"  # a keycap
    "|\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"  # a flag of a region: tags, and their end
    f"|{_STYLED}(?:\u200d{_STYLED}){{0,7}}"  # one emoji, or several joined to one
)
"""One emoji of UTS 51, which is never cut."""

_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Blank, though Unicode files them under letters, marks and symbols."""
_TO_SPACES: Final = str.maketrans(dict.fromkeys(MARKUP, " "))
_STYLE: Final = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Variation selectors and the grapheme joiner: marks that show nothing themselves."""
_DOT_OF_A_HOST: Final = re.compile(r"(?<=[^\s.．｡。])[.．｡。](?=[^\s.．｡。])")
"""The dots are those that domain names may be written with (UTS 46)."""


def clean_nickname(text: str) -> str | None:
    """Return *text* safe to show, in at most 64 code points; None if nothing visible is left.

    Control, bidi and other format characters are dropped, except inside an emoji; so are marks above the fourth on
    a character. White space is one space. Nothing is left that a chat or page turns into a link: markup, slashes
    and colons become spaces, and a dot inside a word a middle dot, so that `http://evil.example/x` is
    `http evil·example x`.
    """
    normal = unicodedata.normalize("NFC", text[:_READ].translate(_TO_SPACES))
    # twice: without the dropped characters, the rest may combine
    visible = unicodedata.normalize("NFC", "".join(_visible(" ".join(normal.split()))))
    return _cut(_DOT_OF_A_HOST.sub("·", " ".join(visible.split()))) or None


def _visible(text: str) -> Iterator[str]:
    for cluster in _clusters(text):
        if cluster[0] == " ":
            yield " "  # without marks, which would stand alone
        elif _EMOJI.match(cluster) or _shows(cluster[0]):
            yield cluster


def _shows(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CM" and character not in _INVISIBLE


def _clusters(text: str) -> Iterator[str]:
    """Yield the characters as people see them: each with its marks, or a whole emoji (near to UAX 29)."""
    at = 0
    while at < len(text):
        emoji = _EMOJI.match(text, at)
        end = emoji.end() if emoji else at + 1
        marks = "".join(takewhile(_is_mark, islice(text, end, None)))
        yield text[at:end] + marks[:_MOST_MARKS]
        at = end + len(marks)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" and not _STYLE.match(character)


def _cut(text: str) -> str:
    kept = ""
    for cluster in _clusters(text):
        if len(kept) + len(cluster) > LONGEST:
            break
        kept += cluster
    return kept.rstrip()
