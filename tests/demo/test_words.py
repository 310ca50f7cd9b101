import re

import pytest

from demo.pages import WEB
from demo.words import CODE, PAGES


@pytest.mark.parametrize("table", [PAGES, CODE], ids=["pages", "code"])
def test_every_language_says_the_same_things(table: dict[str, dict[str, str]]) -> None:
    assert table["en"].keys() == table["zh"].keys()
    assert all(all(words.values()) for words in table.values())


def test_every_state_of_a_ticket_has_words() -> None:
    statuses = {"pending", "scanned", "confirmed", "expired", "cancelled"}
    reasons = {"declined", "wrong_number", "wechat_taken", "user_taken"}
    assert statuses | reasons | {"scanned_match", "already_bound"} <= CODE["en"].keys()


def test_every_word_the_script_names_is_there() -> None:
    named = re.findall(r'status: "([a-z-]+)"', (WEB / "shop.js").read_text(encoding="utf-8"))
    assert named
    assert set(named) <= CODE["en"].keys()
