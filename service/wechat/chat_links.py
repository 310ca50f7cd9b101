"""Removes from a reply the links that send, in a person's name, what could answer a question of the service.

Such a link sends `msgmenucontent` as a message when it is tapped (wechat-protocol.md 3.6). How WeChat decodes a
link is documented nowhere. So only a link in the documented form is kept, and only if no decoding of its content
could be an answer. Every other mention of the scheme is removed with its tag, or with the whole text.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote, unquote_plus

IsAnswer = Callable[[str], bool]
"""Tells whether a text could be an answer to a question of the service, or a passcode."""

_SCHEME: Final = "bizmsgmenu"
_LINK: Final = re.compile(
    r"""<a href=(["'])weixin://bizmsgmenu\?msgmenucontent=([^"'<>&\s]+)(?:&msgmenuid=[A-Za-z0-9_-]*)?\1>([^<>]*)</a>"""
)
_PAIR: Final = re.compile(r"(<([A-Za-z]+)\b[^<>]*>)([^<>]*)</\2\s*>")
_TAG: Final = re.compile(r"<[^<>]*>?")
_END: Final = re.compile(r"[\x00-\x1f\x7f&#?=;]+")
"""Where a reader of the link may end its content."""
_ROUNDS: Final = 8
_UNDECODED: Final = re.compile("[%\ufffd]")
"""Another reader may decode what we cannot: `%u4e0d`, or bytes of GBK."""
_LONGEST: Final = 128
"""Characters of a content that is kept: longer ones are no answers to us, but WeChat might cut them."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})


def without_answers(text: str, is_answer: IsAnswer) -> str:
    """Return *text* with each link that could answer replaced by its label; '' if that is not possible.

    Raises ValueError if a character reference has thousands of digits.
    """
    if not _mentions(text):
        return text
    kept = _LINK.sub(lambda link: link[0] if _harmless(link[2], is_answer) else link[3], text)
    paired = _PAIR.sub(lambda pair: pair[3] if _mentions(pair[1]) else pair[0], kept)
    untagged = _TAG.sub(lambda tag: "" if _mentions(tag[0]) else tag[0], paired)
    for attempt in (kept, untagged, _TAG.sub("", kept)):
        if not any(_mentions(_LINK.sub(between, attempt)) for between in ("", r"\3", "\n")):
            return attempt
    return ""


def _harmless(content: str, is_answer: IsAnswer) -> bool:
    """Tell whether *content*, however it is decoded, is no answer. None has a percent sign inside."""
    stages = list(_decoded(content))
    if len(stages) > _ROUNDS or len(stages[-1]) > _LONGEST or _UNDECODED.search(stages[-1]):
        return False
    escaped = (part for stage in stages for part in _read(stage) if "%" not in part.strip("%"))
    return not any(is_answer(part) for part in (*escaped, *_read(stages[-1])))


def _read(stage: str) -> Iterator[str]:
    """Yield what a reader may take from a decoded content."""
    for text in (stage, unquote_plus(stage)):
        yield text
        yield from _END.split(text)


def _mentions(text: str) -> bool:
    """Tell whether *text*, in any decoding, names the scheme of such links; in doubt it does."""
    stages = list(_decoded(text))
    return len(stages) > _ROUNDS or any(_SCHEME in _squeezed(stage) for stage in stages)


def _decoded(text: str) -> Iterator[str]:
    """Yield *text* and what it decodes to, up to a text that stays the same; more than _ROUNDS if none does."""
    yield text
    yield (text := _squeezed(text))
    for _ in range(_ROUNDS):
        decoded = unquote(html.unescape(text))
        if decoded == text:
            return
        yield decoded
        text = _squeezed(decoded)
    yield text


def _squeezed(text: str) -> str:
    """Return *text* without case, width, and what is not seen. Marks go first: normalising many takes long."""
    seen = "".join(sign for sign in text if unicodedata.category(sign) not in _UNSEEN)
    return (seen if seen.isascii() else unicodedata.normalize("NFKC", seen)).casefold()
