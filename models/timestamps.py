"""RFC 3339 timestamps in UTC, as answers, logs and exports carry them."""

from datetime import UTC, datetime
from typing import Literal


def rfc3339(value: datetime, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return *value*, an aware datetime, in UTC and ending in Z; what is finer than *timespec* is cut off."""
    return value.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
