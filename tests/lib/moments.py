"""Times that are taken while a test runs, not when it is imported: a slow suite may need long in between."""

from datetime import UTC, datetime, timedelta

NOON = 1_800_000_000 // 60 * 60
"""The first second of a minute; the `minute` that limits are counted in holds still 20 seconds later."""


def soon(*, seconds: float = 300) -> datetime:
    """Return a moment that is still to come however long the tests before this one took."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
