"""Navigations are told from other requests by fetch metadata; browsers without it navigate.

Red when a prefetch counts as a visit, or a language is taken that the pages do not have.
"""

import pytest
from aiohttp.test_utils import make_mocked_request

from handlers.http.navigation import FRAME, WINDOW, browser_lang, destination


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({}, WINDOW),
        ({"Sec-Fetch-Dest": "iframe"}, FRAME),
        ({"Sec-Fetch-Dest": "image"}, "image"),
        ({"Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"}, None),
        ({"X-Moz": "Prefetch"}, None),
    ],
)
def test_where_an_answer_goes(headers: dict[str, str], where: str | None) -> None:
    assert destination(make_mocked_request("GET", "/", headers=headers)) == where


def test_an_old_browser_goes_where_the_page_belongs() -> None:
    assert destination(make_mocked_request("GET", "/"), unknown=FRAME) == FRAME


@pytest.mark.parametrize(
    ("wanted", "lang"), [("", None), ("fr, de", None), ("fr, zh-TW, en", "zh"), ("EN-us;q=0.9", "en")]
)
def test_the_first_language_that_the_pages_have(wanted: str, lang: str | None) -> None:
    assert browser_lang(make_mocked_request("GET", "/", headers={"Accept-Language": wanted})) == lang
