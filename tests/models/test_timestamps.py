"""A time is written in UTC, ending in Z, to the second or the millisecond."""

from datetime import UTC, datetime, timedelta, timezone

from models.timestamps import rfc3339

NOON = datetime(2026, 3, 1, 12, 0, 5, 678_999, tzinfo=UTC)


def test_a_time_is_cut_off_at_the_second_or_the_millisecond() -> None:
    assert rfc3339(NOON) == "2026-03-01T12:00:05Z"
    assert rfc3339(NOON, "milliseconds") == "2026-03-01T12:00:05.678Z"
    assert rfc3339(NOON.replace(microsecond=0), "milliseconds") == "2026-03-01T12:00:05.000Z"


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    """Red without `astimezone`."""
    assert rfc3339(NOON.astimezone(timezone(timedelta(hours=8)))) == "2026-03-01T12:00:05Z"
