"""Answers are checked as the settings are; a faulty one is asked again, and a faulty flag is a line.

Red when a faulty answer is taken, when a question is asked beside a faulty flag, and when an answer is made up.

Covers: service.setup.kinds.
"""

from contextlib import suppress

import pytest

from models.language import Lang
from service.config.fault import Fault
from service.config.settings import ConfigError
from service.setup.kinds import KINDS
from service.setup.questions import QUESTIONS, Question, asked, collect

FORM = "wx and 16 letters or digits; gh_... is the original id, gh_id"
FLAGS = {
    "kind": "website",
    "public_url": "https://login.example",
    "appid": "wx0123456789abcdef",
    "secret": "Xk9Vw3Jq8Zp5",
    "client_name": "Shop",
    "return_urls": ["https://shop.example/a", "https://shop.example/b", "https://shop.example/a"],
}


def nothing(_: str) -> None:
    pytest.fail("nothing is told")


def without(name: str) -> dict[str, str | list[str]]:
    return {key: value for key, value in FLAGS.items() if key != name}


def test_flags_and_defaults_answer_all_questions() -> None:
    answers = collect(FLAGS, ask=None, tell=nothing)
    assert answers["return_urls"] == ("https://shop.example/a", "https://shop.example/b")
    assert (answers["client"], answers["database_url"], answers["redis_url"]) == ("shop", "embedded", "embedded")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("kind", "--kind: is missing"),
        ("public_url", "--public-url: is missing"),
        ("appid", "--appid: is missing"),
        ("secret", "--secret-file: is missing"),
        ("client_name", "--client-name: is missing"),
        ("return_urls", "--return-url: is missing"),
    ],
)
def test_each_flag_that_is_missing_is_a_line(name: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        collect(without(name), ask=None, tell=nothing)
    assert refused.value.faults == [line]


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("kind", "shop", "--kind: must be test, service, personal, website, wecom, miniprogram"),
        (
            "appid",
            "gh_0123456789ab",
            "--appid: must be an AppID, wx and 16 letters or digits; gh_... is the original id",
        ),
        ("client_name", "\udcff", "--client-name: must be UTF-8 text"),
        ("client", "Shop", "--client: must be a name of 1 to 64 of a-z 0-9 _"),
        ("return_urls", ["https://shop.example/", "http://shop.example/"], "--return-url: must be https"),
        ("return_urls", [], "--return-url: must not be empty"),
        ("page", "pages/x", "--page: is not for kind website"),
    ],
)
def test_a_faulty_flag_is_a_line_and_nothing_is_asked(name: str, given: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        collect(FLAGS | {name: given}, ask=lambda question: pytest.fail(question.name), tell=nothing)
    assert len(refused.value.faults) == 1
    assert refused.value.faults[0].startswith(line)


def test_a_faulty_answer_is_asked_again_with_its_fault() -> None:
    typed, told = iter(["", "ws", "wx0123456789abcdef"]), list[str]()
    answers = collect(
        {**without("appid"), "client": "a", "database_url": "embedded", "redis_url": "embedded"},
        ask=lambda _: next(typed),
        tell=told.append,
    )
    assert answers["appid"] == "wx0123456789abcdef"
    assert told == [
        "must not be empty",
        "must be an AppID, wx and 16 letters or digits; gh_... is the original id, gh_id",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_question_of_a_kind_is_asked_once_in_order(kind: str) -> None:
    known = {**FLAGS, "corpid": "ww0123456789abcdef", "agentid": "7", "return_urls": "https://shop.example/a"}
    order: list[str] = []

    def ask(question: Question) -> str:
        order.append(question.name)
        return str(known.get(question.name, question.default))

    collect({"kind": kind}, ask=ask, tell=nothing)
    assert order == [question.name for question in asked(kind)]


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_has_words_in_both_languages(name: str) -> None:
    assert all(QUESTIONS[name].words[lang] for lang in Lang)


@pytest.mark.parametrize(
    "typed", ["'", '"', "a: b", "#", "😀", "https://登录.example", "\0", "\u2028", "x" * 5000, " ", "-"]
)
@pytest.mark.parametrize("name", QUESTIONS)
def test_every_answer_is_taken_or_has_a_fault(name: str, typed: str) -> None:
    with suppress(Fault):
        QUESTIONS[name].checked(typed)
