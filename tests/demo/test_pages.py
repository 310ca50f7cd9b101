import re
from pathlib import Path

import pytest

from demo.pages import WEB, fragment, page
from demo.words import PAGES

NASTY = "\"><script>alert('1')</script>&"


def test_what_people_typed_is_escaped() -> None:
    answer = page("home", lang="en", user=NASTY)
    assert "<script>alert" not in answer.text
    assert "&quot;&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;" in answer.text


def test_attribute_cannot_be_left() -> None:
    html = fragment("binding", lang="en", account='"onclick="x', bound_at="2026-10-01T10:00:00Z")
    assert 'value="&quot;onclick=&quot;x"' in html


@pytest.mark.parametrize("lang", PAGES)
def test_page_names_its_language(lang: str) -> None:
    text = page("home", lang=lang, user=None).text
    assert f'<html lang="{PAGES[lang]["html_lang"]}">' in text
    assert PAGES[lang]["welcome"] in text


@pytest.mark.parametrize("path", sorted(WEB.glob("*.html")), ids=lambda path: path.name)
def test_template_has_nothing_the_content_policy_forbids(path: Path) -> None:
    html = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", html)


def test_script_never_writes_html() -> None:
    script = (WEB / "shop.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)
