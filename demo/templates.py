"""Fills in the pages of web/: optional parts, the two languages, then values, which are escaped."""

import re
from collections.abc import Collection
from html import escape
from pathlib import Path
from string import Template
from typing import Final

WEB: Final = Path(__file__).parent / "web"
PART: Final = re.compile(r"<!--(\w+)-->(.*?)<!--/-->", re.DOTALL)
TWICE: Final = re.compile(r"\[\[(?P<en>.*?)\|(?P<zh>.*?)\]\]", re.DOTALL)


class Html(str):
    """What is markup already and is not escaped."""

    __slots__ = ()


def said(text: str, lang: str) -> str:
    """Return *text* with each `[[English|中文]]` in one language."""
    return TWICE.sub(lambda both: both[lang], text)


def filled(page: str, /, *, lang: str, parts: Collection[str] = (), **values: str) -> Html:
    """Return web/*page*.html with only these of its optional parts."""
    html = PART.sub(lambda part: part[2] if part[1] in parts else "", (WEB / f"{page}.html").read_text("utf-8"))
    safe = {key: value if isinstance(value, Html) else escape(value) for key, value in values.items()}
    return Html(Template(said(html, lang)).substitute(safe))
