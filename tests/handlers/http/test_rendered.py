"""The parts of a rendered response. Whole ones are compared in tests/handlers/tickets/test_repeated_polls.py.

Red when `DateHeader` keeps the text of an earlier second, and when `lines` ends a header with a bare line feed.
"""

from types import SimpleNamespace

import pytest

from handlers.http import rendered
from handlers.http.rendered import DateHeader, lines


def test_the_date_is_that_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(time=lambda: 784_111_777.9)
    monkeypatch.setattr(rendered, "time", now)
    date = DateHeader()
    assert date.now() == b"Sun, 06 Nov 1994 08:49:37 GMT"
    now.time = lambda: 784_111_778.0
    assert [date.now(), date.now()] == [b"Sun, 06 Nov 1994 08:49:38 GMT"] * 2


def test_headers_are_written_as_lines() -> None:
    assert lines({"Server": "scanbind", "Vary": "Origin"}) == b"Server: scanbind\r\nVary: Origin\r\n"
