"""JSON responses, and helpers for their fields and headers."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel

NO_STORE: Final = {"Cache-Control": "no-store"}
UNALTERED: Final = {"Cache-Control": "no-store, no-transform"}
"""A proxy that compressed a ticket's status would change its ETag, and could hold back the events of a stream."""

STREAMED: Final = {
    **UNALTERED,
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "no",  # otherwise nginx collects the events instead of passing them on
}
"""Headers of an event stream."""


def json_answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> web.Response:
    """Return a response with *model* as JSON in UTF-8; by default it must not be cached."""
    return web.Response(body=to_json(model), status=status, content_type="application/json", headers=headers)


def to_json(model: BaseModel) -> bytes:
    """Return *model* as JSON in UTF-8, like `model_dump_json` but without an intermediate string."""
    return model.__pydantic_serializer__.to_json(model)


def seconds_left(until: datetime, now: datetime) -> int:
    """Return the seconds from *now* until *until*, rounded up; 0 once it is past."""
    return max(0, math.ceil((until - now).total_seconds()))


def listed(request: web.BaseRequest, name: str) -> str:
    """Return a list header as one line: several lines are one list (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getall(name, ()))
