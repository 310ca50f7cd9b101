"""What a site is told about WeChat's errors, and how a browser is named.

Red when an error is told as another, or one name of a browser would do for another ticket.
"""

import pytest

from models.ticket import TicketId
from models.web_authorization import ReturnError, browser_of, digest_of, error_of


@pytest.mark.parametrize(
    ("errcodes", "told"),
    [
        ((40029, 40163, 42003), ReturnError.INVALID_REQUEST),
        ((None, -1, 45009, 45011, 60020), ReturnError.TEMPORARILY_UNAVAILABLE),
        ((40125, 48001, 40013, 1), ReturnError.SERVER_ERROR),
    ],
)
def test_an_error_of_wechat_is_told_by_its_kind(errcodes: tuple[int | None, ...], told: ReturnError) -> None:
    assert {error_of(errcode) for errcode in errcodes} == {told}


def test_each_ticket_knows_a_browser_by_another_name() -> None:
    names = {browser_of(TicketId(ticket), cookie) for ticket in ("t1", "t2") for cookie in ("a", "b")}
    assert len(names) == 4


def test_a_digest_takes_any_text() -> None:
    assert len(digest_of("\ud800")) == 32
