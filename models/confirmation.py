"""What the phone is asked and what counts as an answer. Knows no chat, no language.

An openid has one open question, its newest. An answer to an older one changes nothing (contract.md 4).
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from models.ticket import Confirm

_FIRST, _COUNT = 10, 90
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")
_MARK_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no letter or digit that is read as another


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number on the page and the three the chat offers, in the order it offers them: two digits each."""

    match: str
    offered: tuple[str, str, str]


def numbers(digest: bytes) -> Numbers:
    """Draw a ticket's numbers from 8 bytes or more that only this service can derive from it."""
    first = int.from_bytes(digest[:2], "big") % _COUNT
    step = 1 + int.from_bytes(digest[2:4], "big") % (_COUNT - 1)
    other = 1 + int.from_bytes(digest[4:6], "big") % (_COUNT - 2)
    other += other >= step  # the two decoys differ from the match and from each other
    drawn = [str(_FIRST + (first + offset) % _COUNT) for offset in (0, step, other)]
    turn = int.from_bytes(digest[6:8], "big") % 3
    return Numbers(drawn[0], (*drawn[turn:], *drawn[:turn]))  # type: ignore[arg-type]  # three rotated are three


def mark(digest: bytes) -> str:
    """Draw the four characters by which a yes or a not-me names its ticket."""
    return "".join(_MARK_ALPHABET[byte % len(_MARK_ALPHABET)] for byte in digest[8:12])


@dataclass(frozen=True, slots=True)
class Question:
    """A question a person was asked: what would answer it."""

    confirm: Confirm
    numbers: Numbers
    mark: str


class Answer(Enum):
    YES = "yes"
    NOT_ME = "not me"
    WRONG_NUMBER = "wrong number"


# The words that taps send, before the mark; typing them is the same answer. Both languages always count.
YES_WORDS: Final = {"zh": "确认", "en": "Yes"}
NOT_ME_WORDS: Final = {"zh": "不是我", "en": "Not me"}


def yes_text(lang: str, question: Question) -> str:
    return f"{YES_WORDS[lang]} {question.mark}"


def not_me_text(lang: str, question: Question) -> str:
    return f"{NOT_ME_WORDS[lang]} {question.mark}"


def could_answer(text: str) -> bool:
    """Tell whether *text* has the form of any answer at all; most of what people write has not."""
    said = " ".join(text.split())
    words = (*YES_WORDS.values(), *NOT_ME_WORDS.values())
    return bool(_TWO_DIGITS.fullmatch(said)) or said.startswith(words)


def read_answer(text: str, question: Question, *, older: frozenset[str] = frozenset()) -> Answer | None:
    """Tell what *text* answers to the open question; None if it is no answer to it.

    *older* are the numbers of questions this person was asked before: unless the newest offers them too,
    they answer nothing.
    """
    if question.confirm is Confirm.NONE:
        return None
    said = " ".join(text.split())
    if said in {not_me_text(lang, question) for lang in NOT_ME_WORDS}:
        return Answer.NOT_ME
    if question.confirm is Confirm.TAP:
        return Answer.YES if said in {yes_text(lang, question) for lang in YES_WORDS} else None
    if not _TWO_DIGITS.fullmatch(said):
        return None
    if said == question.numbers.match:
        return Answer.YES
    offered = question.confirm is Confirm.CHOOSE and said in question.numbers.offered
    return None if said in older and not offered else Answer.WRONG_NUMBER
