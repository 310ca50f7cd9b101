"""RFC 3339 timestamps in UTC, for responses, logs and exports."""

from datetime import UTC, datetime
from typing import Literal


def rfc3339(value: datetime, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Format an aware datetime in UTC with a trailing Z, truncated to *timespec*."""
    return value.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
