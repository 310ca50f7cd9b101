"""The question that is asked in the chat after a scan, and how a text message is read as its answer.

An openid has one open question, its newest. An answer to an older one has no effect (contract.md 4).
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from models.ticket import Confirm

_FIRST, _COUNT = 10, 90
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")
_MARK_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without look-alikes: 0 O, 1 I L


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number on the page, and the three that the chat offers, in that order. Two digits each."""

    match: str
    offered: tuple[str, str, str]


def numbers(digest: bytes) -> Numbers:
    """Derive a ticket's numbers from *digest*: 8 bytes or more, computed from the ticket with a secret key."""
    first = int.from_bytes(digest[:2], "big") % _COUNT
    step = 1 + int.from_bytes(digest[2:4], "big") % (_COUNT - 1)
    other = 1 + int.from_bytes(digest[4:6], "big") % (_COUNT - 2)
    other += other >= step  # the two wrong numbers differ from the right one and from each other
    drawn = [str(_FIRST + (first + offset) % _COUNT) for offset in (0, step, other)]
    turn = int.from_bytes(digest[6:8], "big") % 3
    return Numbers(drawn[0], (*drawn[turn:], *drawn[:turn]))  # type: ignore[arg-type]  # three rotated are three


def mark(digest: bytes) -> str:
    """Derive the four characters that name the ticket in a "Yes" or "Not me" answer."""
    return "".join(_MARK_ALPHABET[byte % len(_MARK_ALPHABET)] for byte in digest[8:12])


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was asked, with the values that its answers contain."""

    confirm: Confirm
    numbers: Numbers
    mark: str


class Answer(Enum):
    YES = "yes"
    NOT_ME = "not me"
    WRONG_NUMBER = "wrong number"


# The words before the mark in the text that a tap sends; they may also be typed. Both languages always count.
YES_WORDS: Final = {"zh": "确认", "en": "Yes"}
NOT_ME_WORDS: Final = {"zh": "不是我", "en": "Not me"}


def yes_text(lang: str, question: Question) -> str:
    return f"{YES_WORDS[lang]} {question.mark}"


def not_me_text(lang: str, question: Question) -> str:
    return f"{NOT_ME_WORDS[lang]} {question.mark}"


def could_answer(text: str) -> bool:
    """Return whether *text* has the form of any answer, to pass over ordinary messages cheaply."""
    reply = " ".join(text.split())
    words = (*YES_WORDS.values(), *NOT_ME_WORDS.values())
    return bool(_TWO_DIGITS.fullmatch(reply)) or reply.startswith(words)


def read_answer(text: str, question: Question, *, older: frozenset[str] = frozenset()) -> Answer | None:
    """Read *text* as an answer to the open question; None if it is not one.

    *older* are the numbers of earlier questions to the same person. They are ignored, unless the open question
    offers them too.
    """
    if question.confirm is Confirm.NONE:
        return None
    reply = " ".join(text.split())
    if reply in {not_me_text(lang, question) for lang in NOT_ME_WORDS}:
        return Answer.NOT_ME
    if question.confirm is Confirm.TAP:
        return Answer.YES if reply in {yes_text(lang, question) for lang in YES_WORDS} else None
    if not _TWO_DIGITS.fullmatch(reply):
        return None
    if reply == question.numbers.match:
        return Answer.YES
    offered = question.confirm is Confirm.CHOOSE and reply in question.numbers.offered
    return None if reply in older and not offered else Answer.WRONG_NUMBER
