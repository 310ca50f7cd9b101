"""Questions to the phone, and the answers that count."""

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.confirmation import (
    NOT_ME_LABELS,
    YES_LABELS,
    Answer,
    Numbers,
    Question,
    confirmation,
    could_answer,
    mark,
    nearly_answers,
    not_me_text,
    numbers,
    read_answer,
    read_form,
    yes_text,
)
from models.method import REDIRECTS, Method
from models.ticket import Confirm, Purpose
from models.typed_text import two_digits, words

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
@pytest.mark.parametrize("text", ["47", " 47 ", "47\n", "\u300047", "４７", "47。", "【47】", "“47”", "4️⃣7️⃣", "٤٧"])
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


TYPED = ["{}", " {}。", "“{}”", "{}!!", "（{}）", "\u200b{}\ufe0f"]


@pytest.mark.parametrize("decorated", TYPED)
@pytest.mark.parametrize("label", [*YES_LABELS.values(), "是我,继续", "是我继续", "是我 继续", "YES THAT IS ME"])
def test_the_visible_yes_answers_a_tap_alone(label: str, decorated: str) -> None:
    """Red when a yes without a mark counts where a number is asked for."""
    text = decorated.format(label)
    assert could_answer(text)
    assert read_answer(text, TAP) is Answer.YES
    assert read_answer(text, CHOOSE) is read_answer(text, MATCH) is None


@pytest.mark.parametrize("decorated", TYPED)
@pytest.mark.parametrize("label", [*NOT_ME_LABELS.values(), "not me", "NOT ME"])
@pytest.mark.parametrize("asked", [TAP, CHOOSE, MATCH])
def test_the_visible_not_me_answers_every_question(asked: Question, label: str, decorated: str) -> None:
    text = decorated.format(label)
    assert could_answer(text)
    assert read_answer(text, asked) is Answer.NOT_ME


NEARLY = [
    *("4", "470", "4 7", "+47", "4.7", "47 please", "47👍", "147", "我的数字是47", "数字 ٤"),
    *("Yes", "yes!", "确认", "是我", "是我吗", "不是我吗", "not me?!x", "Yes, that's me"),
]
OTHER = [
    *(
        "",
        " ",
        "hello",
        "四七",
        "人工客服",
        "yesterday",
        "不是吧",
        "Yes ZZZZ",
        "不是我 zzzz",
        "确认 ZZZZ。",
        "47" + "x" * 20,
    ),
    "您好，我想问一下我的订单20241105什么时候发货",
]


@pytest.mark.parametrize("asked", [TAP, CHOOSE, MATCH])
@pytest.mark.parametrize("text", [*NEARLY, *OTHER])
def test_other_words_answer_nothing(asked: Question, text: str) -> None:
    assert read_answer(text, asked) is None


@pytest.mark.parametrize("text", NEARLY)
def test_a_short_text_with_a_digit_or_one_of_the_words_is_nearly_an_answer(text: str) -> None:
    assert nearly_answers(text)


@pytest.mark.parametrize("text", OTHER)
def test_other_chat_and_the_marks_of_other_tickets_are_none(text: str) -> None:
    """Red when `nearly_answers` takes long texts, parts of words, or what names a ticket by its mark."""
    assert not nearly_answers(text)


@pytest.mark.parametrize("text", [*YES_LABELS.values(), *NOT_ME_LABELS.values(), "不是我。"])
def test_words_that_may_be_meant_for_an_older_question_are_not_guessed(text: str) -> None:
    """Red when `doubtful` is ignored."""
    assert read_answer(text, TAP, doubtful=True) is None
    assert read_answer(text, MATCH, doubtful=True) is None


def test_what_names_the_newest_question_answers_it_even_in_doubt() -> None:
    older = frozenset({"12", "55"})
    for lang in ("zh", "en"):
        assert read_answer(yes_text(lang, TAP), TAP, doubtful=True) is Answer.YES
        assert read_answer(not_me_text(lang, MATCH), MATCH, doubtful=True) is Answer.NOT_ME
    assert read_answer("47", MATCH, older=older, doubtful=True) is Answer.YES
    assert read_answer("83", CHOOSE, older=older, doubtful=True) is Answer.WRONG_NUMBER


def test_in_doubt_no_number_counts_that_is_not_the_newest_questions_alone() -> None:
    """Red when a mistyped number, or one that an older question knows as well, counts in doubt."""
    older = frozenset({"12", "47"})
    for text in ("47", "12", "66"):
        assert read_answer(text, MATCH, older=older, doubtful=True) is None
        assert read_answer(text, CHOOSE, older=older, doubtful=True) is None


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


anything = st.text(max_size=20) | st.text("047４７۴.。 \u200b", max_size=6) | st.sampled_from([*NEARLY, *OTHER])


CONFIRMING = {"yes that is me", "yesthatisme", "是我 继续", "是我继续", "yes k7qp", "确认 k7qp"}


@given(anything | st.sampled_from(sorted(CONFIRMING)))
def test_only_what_was_offered_confirms(text: str) -> None:
    said = words(text)
    assert (read_answer(text, TAP) is Answer.YES) is (said in CONFIRMING)
    assert (read_answer(text, CHOOSE) is Answer.YES) is (read_answer(text, MATCH) is Answer.YES)
    assert (read_answer(text, MATCH) is Answer.YES) is (two_digits(text) == "47")


@given(anything)
def test_what_answers_has_the_form_of_an_answer(text: str) -> None:
    """Red when `could_answer`, which is asked first, knows a form less than `read_answer`."""
    for asked in (TAP, CHOOSE, MATCH):
        assert could_answer(text) or read_answer(text, asked) is None


NONE, TAP_, CHOOSE_, MATCH_ = Confirm


@pytest.mark.parametrize(
    ("confirm", "sent", "answer"),
    [
        (Confirm.TAP, ["yes"], Answer.YES),
        (Confirm.TAP, ["47"], None),
        (Confirm.CHOOSE, ["yes"], None),
        (Confirm.MATCH, ["yes"], None),
        *[(confirm, ["no"], Answer.NOT_ME) for confirm in (Confirm.TAP, Confirm.CHOOSE, Confirm.MATCH)],
        (Confirm.MATCH, ["47", "no"], Answer.NOT_ME),
        (Confirm.MATCH, ["no", "47"], Answer.NOT_ME),
        (Confirm.MATCH, ["47", "48"], None),
        (Confirm.TAP, ["yes", "yes"], None),
        (Confirm.MATCH, [], None),
        (Confirm.MATCH, [""], None),
        (Confirm.MATCH, ["４７。"], Answer.YES),
        (Confirm.MATCH, ["48"], Answer.WRONG_NUMBER),
        (Confirm.CHOOSE, ["47"], Answer.YES),
    ],
)
def test_a_form_sends_one_answer_and_no_wins(confirm: Confirm, sent: list[str], answer: Answer | None) -> None:
    """Red when `read_form` takes the first of several numbers, or a yes where a number is asked for."""
    assert read_form(sent, ASKED[confirm]) is answer


@pytest.mark.parametrize("by_portal", [False, True])
@pytest.mark.parametrize("method", Method)
def test_each_method_asks_what_its_way_back_requires(method: Method, by_portal: bool) -> None:
    """Red when one of the rules of `confirmation` is left out."""
    asked = {
        purpose: [confirmation(method, purpose, configured, by_portal=by_portal) for configured in Confirm]
        for purpose in Purpose
    }
    if method in REDIRECTS:
        assert asked == {purpose: [NONE] * 4 for purpose in Purpose}
    elif method is Method.SCAN:
        assert asked == {purpose: [MATCH_ if by_portal else NONE, TAP_, CHOOSE_, MATCH_] for purpose in Purpose}
    else:
        assert asked == {
            Purpose.LOGIN: [TAP_, TAP_, CHOOSE_, MATCH_],
            Purpose.BIND: [MATCH_, MATCH_, CHOOSE_, MATCH_],
        }
