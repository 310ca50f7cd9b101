"""The cookie by which a browser that went to WeChat is known when it comes back. It grants nothing by itself."""

import re
import secrets
from typing import Final

from aiohttp import web

from handlers.http import authentication
from models.web_authorization import Way

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_LASTS: Final = 86_400


def name(request: web.Request, way: Way) -> str:
    """Return the cookie's name; a panel has one of its own, which browsers keep apart for each site around it."""
    own = "scanbind_panel" if way is Way.PANEL else "scanbind_browser"
    return f"{authentication.HOST_PREFIX if authentication.is_https(request) else ''}{own}"


def read(request: web.Request, way: Way) -> str:
    """Return the browser's cookie; '' if it has none."""
    value = request.cookies.get(name(request, way), "")
    return value if _VALUE.fullmatch(value) else ""


def new() -> str:
    """Return a value for a browser without a cookie."""
    return secrets.token_urlsafe(24)


def put(request: web.Request, response: web.Response, way: Way, value: str) -> None:
    """Set or renew the cookie."""
    # Lax: WeChat leads the browser back from another site. A frame in another site gets only what is Partitioned,
    # which browsers accept over https alone.
    where = "SameSite=None; Partitioned" if way is Way.PANEL else "SameSite=Lax"
    limits = f"Secure; {where}" if authentication.is_https(request) else "SameSite=Lax"
    # Not by `set_cookie`: Python's cookies know Partitioned from 3.14 on.
    cookie = f"{name(request, way)}={value}; Max-Age={_LASTS}; Path=/; HttpOnly; {limits}"
    response.headers.add("Set-Cookie", cookie)
