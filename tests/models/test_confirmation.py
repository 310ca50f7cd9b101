"""Questions to the phone, and the answers that count."""

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.confirmation import Answer, Numbers, Question, mark, not_me_text, numbers, read_answer, yes_text
from models.ticket import Confirm

NUMBERS = Numbers("47", ("12", "47", "83"))
ASKED = {confirm: Question(confirm, NUMBERS, "K7QP") for confirm in Confirm}
TAP, CHOOSE, MATCH = ASKED[Confirm.TAP], ASKED[Confirm.CHOOSE], ASKED[Confirm.MATCH]
SEVERAL = [sha256(bytes([one, two])).digest() for one in range(30) for two in range(100)]
both_languages = pytest.mark.parametrize("lang", ["zh", "en"])
digests = st.binary(min_size=12, max_size=32)


@given(digests)
def test_three_different_numbers_of_two_digits_are_offered(digest: bytes) -> None:
    drawn = numbers(digest)
    assert len(set(drawn.offered)) == 3
    assert drawn.match in drawn.offered
    assert all(10 <= int(number) <= 99 and len(number) == 2 for number in drawn.offered)


def test_the_right_number_stands_in_no_special_place() -> None:
    drawn = [numbers(digest) for digest in SEVERAL]
    places = Counter(one.offered.index(one.match) for one in drawn)
    assert set(places) == {0, 1, 2}
    assert min(places.values()) > 900
    # neither the smallest nor the largest, nor next to a neighbour more often than chance has it
    ranks = Counter(sorted(one.offered).index(one.match) for one in drawn)
    assert min(ranks.values()) > 800
    assert {one.match for one in drawn} == {str(number) for number in range(10, 100)}


@given(digests)
def test_the_same_ticket_always_draws_the_same(digest: bytes) -> None:
    assert numbers(digest) == numbers(digest)
    assert mark(digest) == mark(digest)


@given(digests)
def test_a_mark_cannot_be_misread(digest: bytes) -> None:
    assert len(mark(digest)) == 4
    assert set(mark(digest)).isdisjoint("01OIL")


def test_marks_differ_from_ticket_to_ticket() -> None:
    assert len({mark(digest) for digest in SEVERAL}) > 2900


@pytest.mark.parametrize("asked", [CHOOSE, MATCH])
@pytest.mark.parametrize("text", ["47", " 47 ", "47\n", "\u300047"])
def test_the_right_number_is_a_yes(asked: Question, text: str) -> None:
    assert read_answer(text, asked) is Answer.YES


@pytest.mark.parametrize("asked", [CHOOSE, MATCH])
@pytest.mark.parametrize("text", ["12", "83", "10", "99", "00", "07"])
def test_any_other_number_is_wrong(asked: Question, text: str) -> None:
    assert read_answer(text, asked) is Answer.WRONG_NUMBER


@both_languages
def test_a_yes_answers_a_tap_alone(lang: str) -> None:
    assert read_answer(yes_text(lang, TAP), TAP) is Answer.YES
    assert read_answer(yes_text(lang, CHOOSE), CHOOSE) is None
    assert read_answer(yes_text(lang, MATCH), MATCH) is None


@both_languages
@pytest.mark.parametrize("asked", [TAP, CHOOSE, MATCH])
def test_not_me_answers_every_question(lang: str, asked: Question) -> None:
    assert read_answer(not_me_text(lang, asked), asked) is Answer.NOT_ME
    assert read_answer(f"  {not_me_text(lang, asked).replace(' ', '   ')}\n", asked) is Answer.NOT_ME


@both_languages
@pytest.mark.parametrize("asked", [TAP, CHOOSE, MATCH])
def test_yes_and_not_me_of_another_ticket_answer_nothing(lang: str, asked: Question) -> None:
    other = Question(asked.confirm, NUMBERS, "ZZZZ")
    assert read_answer(yes_text(lang, other), asked) is None
    assert read_answer(not_me_text(lang, other), asked) is None


def test_a_number_does_not_answer_a_tap() -> None:
    assert read_answer("47", TAP) is None
    assert read_answer("12", TAP) is None


@pytest.mark.parametrize("asked", [TAP, CHOOSE, MATCH])
@pytest.mark.parametrize(
    "text",
    ["", " ", "hello", "4", "470", "4 7", "+47", "4.7", "47.", "47 please", "٤٧", "四七", "47\u200b", "Not me"],
)
def test_other_words_answer_nothing(asked: Question, text: str) -> None:
    assert read_answer(text, asked) is None


def test_an_older_questions_number_answers_nothing() -> None:
    older = frozenset({"12", "55"})
    assert read_answer("55", MATCH, older=older) is None
    assert read_answer("12", MATCH, older=older) is None
    assert read_answer("55", CHOOSE, older=older) is None
    assert read_answer("66", MATCH, older=older) is Answer.WRONG_NUMBER


def test_a_number_that_the_newest_question_knows_is_an_answer_to_it() -> None:
    older = frozenset({"12", "47"})
    assert read_answer("47", MATCH, older=older) is Answer.YES
    assert read_answer("47", CHOOSE, older=older) is Answer.YES
    assert read_answer("12", CHOOSE, older=older) is Answer.WRONG_NUMBER


@given(st.text(max_size=20))
def test_only_what_was_offered_confirms(text: str) -> None:
    said = " ".join(text.split())
    assert read_answer(text, TAP) is not Answer.YES or said.endswith(TAP.mark)
    assert read_answer(text, CHOOSE) is not Answer.YES or said == "47"
