"""Red when a notice lacks the site, the time or what to do, or has a link where nothing can be undone."""

from datetime import UTC, datetime, timedelta

import pytest

from models.language import Lang
from models.notice import Told
from service.notices.messages import notice

AT = datetime(2026, 3, 1, 23, 5, tzinfo=UTC)
LINK = "https://login.example/undo/x"


@pytest.mark.parametrize("lang", list(Lang), ids=str)
@pytest.mark.parametrize("told", list(Told), ids=str)
def test_each_notice_names_the_site_and_links_only_to_an_undo(told: Told, lang: Lang) -> None:
    text = notice(told, lang=lang, site="Shop", at=AT, now=AT, link=LINK if told.undoable else None)
    assert "Shop" in text
    assert "{" not in text
    assert (LINK in text, "<a " in text) == (told.undoable, told.undoable)
    assert {Lang.ZH: "刚刚", Lang.EN: "just now"}[lang] in text


def test_the_same_change_has_another_text_in_each_case() -> None:
    texts = {notice(told, lang=lang, site="S", at=AT, now=AT, link=None) for told in Told for lang in Lang}
    assert len(texts) == len(Told) * len(Lang)


@pytest.mark.parametrize(
    ("lang", "when"),
    [(Lang.ZH, "于2026-03-02 07:05（北京时间）"), (Lang.EN, "at 2026-03-02 07:05 (Beijing time)")],
    ids=str,
)
def test_what_was_ten_minutes_ago_is_told_with_its_time(lang: Lang, when: str) -> None:
    def told(ago: timedelta) -> str:
        return notice(Told.BOUND, lang=lang, site="S", at=AT, now=AT + ago, link=None)

    assert when in told(timedelta(minutes=10))
    assert when not in told(timedelta(minutes=9, seconds=59))
