"""Answers with pictures of codes, which pages of other sites show and people save."""

import math
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from handlers.http.operation import in_query
from models.picture import JPEG, PNG

DOWNLOAD: Final = in_query("download", {"enum": ["1"]}, "Makes browsers save the picture.")
"""The parameter, for the description of endpoints."""
_NAMES: Final[Mapping[str, str]] = {PNG: "wechat.png", JPEG: "wechat.jpeg"}


def picture(request: web.Request, content: bytes, media_type: str, *, caching: str) -> web.Response:
    """Return a picture; *caching* are the directives of Cache-Control.

    With `?download=1` browsers save a PNG or JPEG: they ignore the `download` attribute of links to another
    origin.
    """
    headers = {
        # With `no-transform`: a proxy that reduces pictures could blur the code.
        "Cache-Control": f"{caching}, no-transform",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Security-Policy": "default-src 'none'; style-src 'none'",
    }
    if request.query.get("download") == "1" and media_type in _NAMES:
        headers["Content-Disposition"] = f'attachment; filename="{_NAMES[media_type]}"'
    return web.Response(body=content, content_type=media_type, headers=headers)


def until(left: float) -> str:
    """Return the caching of a picture that works for *left* more seconds."""
    return f"private, max-age={math.floor(left)}, immutable"
