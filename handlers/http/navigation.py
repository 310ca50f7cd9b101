"""Tells navigations of a person from other requests for a page, and which browser it is, by the headers."""

from typing import Final

from aiohttp import web

from models.language import Lang

WINDOW: Final = "document"
FRAME: Final = "iframe"
_PREFETCH_HEADERS: Final = ("Sec-Purpose", "Purpose", "X-Moz")


def destination(request: web.Request, *, unknown: str = WINDOW) -> str | None:
    """Return where the answer goes: WINDOW, FRAME or another `Sec-Fetch-Dest`; None for a prefetch.

    *unknown* is returned for browsers without fetch metadata.
    """
    if any("prefetch" in request.headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return None
    return request.headers.get("Sec-Fetch-Dest", unknown)


def inside_wechat(request: web.Request) -> bool:
    """Tell whether the browser is WeChat's own. WeCom's names WeChat as well, and does not know the account."""
    return "MicroMessenger/" in request.headers.get("User-Agent", "") and not inside_wecom(request)


def inside_wecom(request: web.Request) -> bool:
    """Tell whether the browser is WeCom's own."""
    return "wxwork/" in request.headers.get("User-Agent", "")


def browser_lang(request: web.Request) -> Lang | None:
    """Return the first language of `Accept-Language` that the pages have."""
    wanted = request.headers.get("Accept-Language", "").lower().replace(" ", "").split(",")
    return next((lang for one in wanted for lang in Lang if one.startswith(lang)), None)
