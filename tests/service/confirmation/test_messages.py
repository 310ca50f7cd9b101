"""Chat messages in both languages, and the links in them."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from models.confirmation import Answer, Numbers, Question, read_answer
from models.language import Lang
from models.requester import Requester, cleaned_requester
from models.ticket import Confirm, Outcome, Purpose, Reason
from service.confirmation import messages
from service.confirmation.messages import Notice

NUMBERS = Numbers("47", ("12", "47", "83"))
SITE = {Lang.ZH: "示例商城", Lang.EN: "Example shop"}
ASKER = Requester("Chrome · Mac", "203.0.113.7", "anna@shop.example")
langs = pytest.mark.parametrize("lang", list(Lang))
asked_confirms = pytest.mark.parametrize("confirm", [Confirm.TAP, Confirm.CHOOSE, Confirm.MATCH])


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the chat shows it, and what tapping it says."""

    label: str
    says: str


def links(text: str) -> list[Link]:
    """Take a reply's links apart as strictly as a chat may (wechat-protocol.md 3.6)."""
    found = re.findall(r'<a href="([^"<>\s]+)">([^<>]+)</a>', text)
    assert len(found) == text.count("<") / 2 == text.count(">") / 2
    told = []
    for address, label in found:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("weixin", "bizmsgmenu")
        query = parse_qs(parts.query, strict_parsing=True)
        assert query.keys() == {"msgmenucontent", "msgmenuid"}
        [says] = query["msgmenucontent"]
        told.append(Link(label, says))
    return told


def ask(confirm: Confirm, lang: Lang, *, purpose: Purpose = Purpose.LOGIN, requester: Requester = ASKER) -> str:
    lines = messages.request(purpose=purpose, requester=requester, lang=lang, site=SITE[lang])
    return messages.question(_question(confirm), lines=lines, lang=lang)


def _question(confirm: Confirm) -> Question:
    return Question(confirm, NUMBERS, "K7QP")


@langs
@pytest.mark.parametrize("notice", list(Notice))
def test_every_notice_is_said_in_every_language(notice: Notice, lang: Lang) -> None:
    said = messages.notice(notice, lang=lang, site=SITE[lang])
    assert said.strip()
    assert not re.search(r"[{}<>]", said)
    assert (said.isascii()) is (lang is Lang.EN)


@langs
def test_no_two_notices_are_alike(lang: Lang) -> None:
    assert len({messages.notice(notice, lang=lang, site="x") for notice in Notice}) == len(Notice)


def test_every_end_has_its_notice() -> None:
    told = [messages.notice_of(outcome, None) for outcome in Outcome]
    told += [messages.notice_of(None, reason) for reason in Reason]
    assert len(set(told)) == len(told)
    assert messages.notice_of(None, None) is Notice.OUT_OF_DATE


def test_notices_name_the_page_s_button() -> None:
    widget = Path("web/widget.js").read_text(encoding="utf-8")
    for lang, button in zip((Lang.EN, Lang.ZH), re.findall(r'refresh: "(.+)"', widget), strict=True):
        for notice in (Notice.WRONG_NUMBER, Notice.OUT_OF_DATE, Notice.ANOTHER_PERSON):
            assert button in messages.notice(notice, lang=lang, site="x")


@langs
@asked_confirms
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_question_names_site_browser_and_address(purpose: Purpose, confirm: Confirm, lang: Lang) -> None:
    said = ask(confirm, lang, purpose=purpose)
    for named in (SITE[lang], "Chrome · Mac", "203.0.113.7"):
        assert named in said
    assert ("anna@shop.example" in said) is (purpose is Purpose.BIND)


@langs
@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_is_not_known_is_left_out(purpose: Purpose, lang: Lang) -> None:
    said = ask(Confirm.TAP, lang, purpose=purpose, requester=Requester())
    assert "None" not in said
    assert "{" not in said
    assert len(said.splitlines()) == 6


@langs
def test_login_and_bind_are_told_apart(lang: Lang) -> None:
    first_lines = {ask(Confirm.TAP, lang, purpose=purpose).splitlines()[0] for purpose in Purpose}
    assert len(first_lines) == 2


@langs
@pytest.mark.parametrize(
    ("confirm", "answers"),
    [
        (Confirm.TAP, [Answer.YES, Answer.NOT_ME]),
        (Confirm.CHOOSE, [Answer.WRONG_NUMBER, Answer.YES, Answer.WRONG_NUMBER, Answer.NOT_ME]),
        (Confirm.MATCH, [Answer.NOT_ME]),
    ],
)
def test_each_link_says_what_answers(confirm: Confirm, answers: list[Answer], lang: Lang) -> None:
    told = [read_answer(link.says, _question(confirm)) for link in links(ask(confirm, lang))]
    assert told == answers


@langs
@asked_confirms
def test_a_page_asks_for_no_reply_in_a_chat(confirm: Confirm, lang: Lang) -> None:
    said = messages.page_question(confirm, lang=lang) + messages.page_hint(lang=lang)
    assert "回复" not in said
    assert "reply" not in said.lower()


@langs
def test_numbers_are_shown_as_they_are_said(lang: Lang) -> None:
    numbers = links(ask(Confirm.CHOOSE, lang))[:3]
    assert [(link.label, link.says) for link in numbers] == [(number, number) for number in NUMBERS.offered]


@langs
@pytest.mark.parametrize("confirm", [Confirm.TAP, Confirm.MATCH])
def test_the_number_is_never_told_where_it_must_be_read_off_the_page(confirm: Confirm, lang: Lang) -> None:
    assert "47" not in ask(confirm, lang)


@langs
def test_nothing_is_asked_where_the_scan_confirms(lang: Lang) -> None:
    with pytest.raises(KeyError):
        ask(Confirm.NONE, lang)


@langs
@asked_confirms
@pytest.mark.parametrize(
    "hostile",
    [
        '<a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=1">Yes</a>',
        "</a><a href='https://evil.example'>prize</a>",
        "{site} {name} {0.__class__}",
        "%s%s%n",
        "anna\n\n<a>",
    ],
)
def test_no_name_adds_a_link_or_a_line(hostile: str, confirm: Confirm, lang: Lang) -> None:
    requester = cleaned_requester(ip=hostile, user_agent=hostile, account_name=hostile)
    said = ask(confirm, lang, purpose=Purpose.BIND, requester=requester)
    plain = ask(confirm, lang, purpose=Purpose.BIND, requester=Requester(account_name="anna"))
    assert links(said) == links(plain)
    assert len(said.splitlines()) == len(plain.splitlines())
