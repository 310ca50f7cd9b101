"""The outcome of a post in words. Red when a word contains a URL, or a Retry-After is read wrongly."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.answer import Answer, answered, failed

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_status_of_success_is_one(status: int) -> None:
    answer = answered(status, "5", b"ok", at=NOW)
    assert (answer.ok, answer) == (True, Answer(status, None, None, b"ok"))


@pytest.mark.parametrize(
    ("status", "error"),
    [(301, "redirect"), (302, "redirect"), (303, "redirect"), (307, "redirect"), (308, "redirect"),
     (304, "HTTP 304"), (400, "HTTP 400"), (410, "HTTP 410"), (429, "HTTP 429"),
     (500, "HTTP 500"), (199, "HTTP 199"), (600, "HTTP 600")],
)  # fmt: skip
def test_any_other_status_is_a_failure(status: int, error: str) -> None:
    answer = answered(status, "5", b"", at=NOW)
    assert not answer.ok
    assert answer == Answer(status, error, timedelta(seconds=5))


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 5000, DAY),
        ("Mon, 30 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 30 Nov 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Monday, 30-Nov-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 30 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:05:00 GMT", None),
        ("Mon, 30 Nov 99999999999999999999 12:05:00 GMT", None),
        ("Mon, 30 Nov 2026 12:05:00 +999999999999", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_and_a_day_at_most(header: str | None, pause: timedelta | None) -> None:
    assert answered(503, header, b"", at=NOW).retry_after == pause


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer within 20 s"),
        (aiohttp.InvalidURL("http://Xk9V/"), "not sent"),
        (ValueError("Xk9V"), "not sent"),
        (aiohttp.ServerDisconnectedError(), "connection closed"),
        (ConnectionResetError("Xk9V"), "connection closed"),
        (aiohttp.ClientPayloadError("Xk9V"), "answer cut off"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_becomes_words_without_its_text(error: Exception, words: str) -> None:
    assert failed(error) == Answer(None, words)


@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,30} [A-Z][a-z]{2} [0-9]{1,30} [0-9:]+ [-+A-Z0-9]+\Z"))
def test_no_retry_after_raises_or_asks_for_more_than_a_day(header: str) -> None:
    pause = answered(503, header, b"", at=NOW).retry_after
    assert pause is None or timedelta(0) <= pause <= DAY
