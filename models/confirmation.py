"""The question that is asked after a scan, and how a text message or a page's form is read as its answer.

An openid has one open question, its newest. An answer to an older one has no effect (contract.md 4).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from models.method import REDIRECTS, Method
from models.portal import portal_confirm
from models.ticket import Confirm, Purpose
from models.typed_text import two_digits, words

EARLY: Final = 5
"""Seconds by which the CreateTime of an answer may be before that of its scan: WeChat's front ends may differ."""
_FIRST, _COUNT = 10, 90
_MARK_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without look-alikes: 0 O, 1 I L


def confirmation(method: Method, purpose: Purpose, configured: Confirm, *, by_portal: bool) -> Confirm:
    """Return what a ticket asks, of what its client configured for this purpose.

    A redirect asks nothing: the browser that answers is the one that shows the ticket. The scan asks what is
    configured. Every other cross-device method always asks, and for a bind the page's number: its
    code can be passed on, and a yes alone would bind another person's WeChat to the user.
    """
    if method in REDIRECTS:
        return Confirm.NONE
    if method is Method.SCAN:
        return portal_confirm(configured) if by_portal else configured
    if purpose is Purpose.BIND and configured in (Confirm.NONE, Confirm.TAP):
        return Confirm.MATCH
    return Confirm.TAP if configured is Confirm.NONE else configured


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


FORM_YES: Final = "yes"
FORM_NO: Final = "no"
"""What the buttons of a page's form send as `answer`; a number is sent as its digits (contract.md 8.4)."""


# The words before the mark in the text that a tap sends; they may also be typed. Both languages always count.
YES_WORDS: Final = {"zh": "确认", "en": "Yes"}
NOT_ME_WORDS: Final = {"zh": "不是我", "en": "Not me"}
# What the chat shows. A phone that shows no links shows these alone, so they are answers without a mark.
YES_LABELS: Final = {"zh": "是我，继续", "en": "Yes, that is me"}
NOT_ME_LABELS: Final = NOT_ME_WORDS

_SHORT: Final = 16
"""The longest near-answer in characters: longer texts are meant for the account's other chat."""


def _typed(labels: Mapping[str, str]) -> frozenset[str]:
    """Return *labels* as `words` returns them, with and without their inner spaces and commas."""
    shown = {words(label) for label in labels.values()}
    return frozenset(shown | {label.replace(" ", "") for label in shown})


_YES: Final = _typed(YES_LABELS)
_NOT_ME: Final = _typed(NOT_ME_LABELS)
_MARKED: Final = re.compile(
    f"(?:{'|'.join(words(word) for word in (*YES_WORDS.values(), *NOT_ME_WORDS.values()))})"
    f" [{_MARK_ALPHABET.casefold()}]{{4}}"
)
_NEARLY: Final = re.compile(r"\d|确认|是我|(?<![a-z])(?:yes|not me)(?![a-z])")
_VAGUE: Final = re.compile("不?[是对]的?|不?同意|(?:我是|不是|是|非)?本人|确定|否|不|拒绝|取消|y|n|no")
"""Answers to "Is that you?" in people's own words: meant as one, but not asked for."""


def yes_text(lang: str, question: Question) -> str:
    return f"{YES_WORDS[lang]} {question.mark}"


def not_me_text(lang: str, question: Question) -> str:
    return f"{NOT_ME_WORDS[lang]} {question.mark}"


def could_answer(text: str) -> bool:
    """Return whether *text* has the form of any answer, to pass over ordinary messages cheaply."""
    said = words(text)
    return two_digits(text) is not None or said in _YES | _NOT_ME or bool(_MARKED.fullmatch(said))


def nearly_answers(text: str) -> bool:
    """Return whether *text* is short and contains a digit or one of the words, but no ticket's mark.

    Also a plain yes or no.
    """
    said = words(text)
    near = len(said) <= _SHORT and _NEARLY.search(said) and not _MARKED.fullmatch(said)
    return bool(near or _VAGUE.fullmatch(said))


def read_answer(
    text: str, question: Question, *, older: frozenset[str] = frozenset(), doubtful: bool = False
) -> Answer | None:
    """Read *text* as an answer to the open question; None if it is not one.

    *older* are the numbers of earlier questions to the same person. They are ignored, unless the open question
    offers them too. *doubtful*: the text may have been written to one of those questions, or to one that is not
    known. Then only what names the open question alone is an answer: its mark, or a number of its own.
    """
    if question.confirm is Confirm.NONE:
        return None
    said = words(text)
    if said in _marked(NOT_ME_WORDS, question) or (said in _NOT_ME and not doubtful):
        return Answer.NOT_ME
    if question.confirm is Confirm.TAP:
        yes = said in _marked(YES_WORDS, question) or (said in _YES and not doubtful)
        return Answer.YES if yes else None
    number = two_digits(text)
    return _read_number(number, question, older, doubtful=doubtful) if number else None


def read_form(given: Sequence[str], question: Question) -> Answer | None:
    """Read the `answer` fields of a page's form; None if they are no answer.

    The button *no* of a form with a text field sends two values, and counts. Any other two are no answer: a script
    could send all numbers at once.
    """
    if FORM_NO in given:
        return Answer.NOT_ME
    if len(given) != 1:
        return None
    if given[0] == FORM_YES:
        return Answer.YES if question.confirm is Confirm.TAP else None
    return read_answer(given[0], question)


def _marked(labels: Mapping[str, str], question: Question) -> set[str]:
    return {words(f"{label} {question.mark}") for label in labels.values()}


def _read_number(number: str, question: Question, older: frozenset[str], *, doubtful: bool) -> Answer | None:
    offered = question.numbers.offered if question.confirm is Confirm.CHOOSE else (question.numbers.match,)
    own = number in offered and not (doubtful and number in older)
    if not own and (doubtful or number in older):
        return None
    return Answer.YES if number == question.numbers.match else Answer.WRONG_NUMBER
