"""JSON responses, remaining seconds, and list headers."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from pydantic import BaseModel

from handlers.http.responses import json_answer, listed, seconds_left

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Name(BaseModel):
    name: str


def test_a_json_response_is_utf_8_and_not_stored() -> None:
    response = json_answer(Name(name="商城"), status=201)
    assert response.body == '{"name":"商城"}'.encode()
    assert (response.status, response.content_type) == (201, "application/json")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(timedelta(seconds=60), 60), (timedelta(milliseconds=1), 1), (timedelta(), 0), (timedelta(seconds=-5), 0)],
)
def test_the_running_second_is_counted_and_the_past_is_0(left: timedelta, seconds: int) -> None:
    assert seconds_left(NOW + left, NOW) == seconds


def test_several_lines_of_a_header_are_one_list() -> None:
    """Red when only the first line is read."""
    headers = CIMultiDict([("Prefer", "wait=5"), ("Prefer", "respond-async")])
    assert listed(make_mocked_request("GET", "/", headers=headers), "Prefer") == "wait=5, respond-async"
    assert listed(make_mocked_request("GET", "/"), "Prefer") == ""
