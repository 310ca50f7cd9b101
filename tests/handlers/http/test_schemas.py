"""Field types that several endpoints share."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from handlers.http.schemas import USER_ID, Moment, RequestBody


@pytest.mark.parametrize("value", ["42", "ünï 42 😀", "a" * 128, "..."])
def test_a_user_id_is_kept_exactly(value: str) -> None:
    assert USER_ID.validate_python(value) == value


@pytest.mark.parametrize("value", ["", ".", "..", "a" * 129, "a\n", "a\u202e", "a\x00", 42, None])
def test_what_is_no_user_id_is_refused(value: object) -> None:
    """Red when `.` and `..` are taken: clients and proxies would change the address they stand in."""
    with pytest.raises(ValidationError):
        USER_ID.validate_python(value)


def test_a_moment_is_written_in_utc_to_the_second() -> None:
    class Seen(BaseModel):
        at: Moment

    noon = datetime(2026, 3, 1, 20, 0, 5, 999_000, tzinfo=timezone(timedelta(hours=8)))
    assert Seen(at=noon).model_dump_json() == '{"at":"2026-03-01T12:00:05Z"}'
    assert Seen(at=noon).at.astimezone(UTC).hour == 12


def test_a_request_body_takes_no_unknown_field_and_converts_nothing() -> None:
    class Count(RequestBody):
        count: int

    shape = TypeAdapter(Count)
    assert shape.validate_python({"count": 1}).count == 1
    for faulty in ({"count": "1"}, {"count": 1.0}, {"count": True}, {"count": 1, "more": 1}):
        with pytest.raises(ValidationError):
            shape.validate_python(faulty)
