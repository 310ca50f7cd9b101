"""What every JSON answer looks like."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic_core import to_json

from models.timestamps import rfc3339

NO_STORE: Final = {"Cache-Control": "no-store"}


def json_answer(
    body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> web.Response:
    """Return *body* as JSON in UTF-8, not to be stored."""
    return web.Response(body=to_json(body), status=status, content_type="application/json", headers=headers)


def moment(value: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC, to the second."""
    return None if value is None else rfc3339(value)


def seconds_left(until: datetime, now: datetime) -> int:
    """Return the whole seconds until then, the one that runs included; 0 once it is past."""
    return max(0, math.ceil((until - now).total_seconds()))


def listed(request: web.Request, name: str) -> str:
    """Return a header that holds a list; several lines of it are one list (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getall(name, ()))
