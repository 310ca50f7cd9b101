"""What every JSON answer looks like."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel

NO_STORE: Final = {"Cache-Control": "no-store"}


def json_answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> web.Response:
    """Return *model* as JSON in UTF-8, not to be stored."""
    return web.Response(body=to_json(model), status=status, content_type="application/json", headers=headers)


def to_json(model: BaseModel) -> bytes:
    """Return *model* as JSON in UTF-8: what `model_dump_json` gives, without a text in between."""
    return model.__pydantic_serializer__.to_json(model)


def seconds_left(until: datetime, now: datetime) -> int:
    """Return the whole seconds until then, the one that runs included; 0 once it is past."""
    return max(0, math.ceil((until - now).total_seconds()))


def listed(request: web.Request, name: str) -> str:
    """Return a header that holds a list; several lines of it are one list (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getall(name, ()))
