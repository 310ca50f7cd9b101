"""The portal's own pages: a link that is opened once, the page behind it, and what a used link shows."""

import hashlib
from collections.abc import Mapping
from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers import portal_cookie
from handlers.pages import WEB
from models.errors import ForbiddenOrigin
from models.portal import PortalSession
from models.ticket import Lang
from service.keys import PORTAL, SETTINGS

_PAGE: Final = Template((WEB / "portal.html").read_text(encoding="utf-8"))
_GONE: Final = Template((WEB / "portal-gone.html").read_text(encoding="utf-8"))
_STYLE: Final = (WEB / "portal.css").read_bytes()
_ICON: Final = (WEB / "portal.svg").read_bytes()
_BACK: Final = Template(
    '<p class="back"><a href="$url" data-testid="portal-return">'
    '<span lang="zh">返回$zh</span> · <span lang="en">Back to $en</span></a></p>'
)
_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_A_PAGE: Final = "document"
_FETCHED_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Moz")


async def enter(request: web.Request) -> web.Response:
    """Open a link, once: the browser gets the session's cookie and goes to its page."""
    ahead = any("prefetch" in request.headers.get(name, "").lower() for name in _FETCHED_AHEAD)
    if ahead or request.headers.get("Sec-Fetch-Dest", _A_PAGE) != _A_PAGE:
        raise ForbiddenOrigin(
            "this link works once, so it is opened by a person who goes there, and by nothing else"
        )
    portal = request.app[PORTAL]
    session = await portal.linked(request.match_info["token"])
    opened = await portal.open(session) if session else None
    if opened is None:
        return _gone(request, session)
    settings = request.app[SETTINGS]
    lang = _lang(request, opened.session)
    page = f"{settings.server.public_url}/portal/{opened.session.id}?lang={lang}"
    response = web.Response(status=303, headers={**_PRIVATE, "Location": page})
    portal_cookie.put(request, response, opened)
    return response


async def show(request: web.Request) -> web.Response:
    """Give the portal's page; what it shows it fetches with its cookie."""
    asked = request.query.get("lang")
    lang = Lang(asked) if asked in list(Lang) else _read(request) or Lang.EN
    return _html(_PAGE, {"lang": lang, "session_id": request.match_info["session"], "base": "../"})


async def style(request: web.Request) -> web.Response:
    """Give the looks of the portal's pages."""
    return _file(request, _STYLE, content_type="text/css")


async def icon(request: web.Request) -> web.Response:
    """Give the picture that browsers put before the title of the portal's pages."""
    return _file(request, _ICON, content_type="image/svg+xml")


def _file(request: web.Request, body: bytes, *, content_type: str) -> web.Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def _gone(request: web.Request, session: PortalSession | None) -> web.Response:
    """Say that a link works once; whoever holds a genuine one is shown the way back."""
    if session is None:
        return _html(_GONE, {"lang": _read(request) or Lang.EN, "base": "../../"}, status=404)
    client = request.app[SETTINGS].clients[session.client]
    names = {lang.value: escape(name) for lang, name in client.name.items()}
    back = _BACK.substitute(names, url=escape(session.return_url)) if session.return_url else ""
    values = {"lang": _lang(request, session), "base": "../../"}
    return _html(_GONE, values, back=back, status=410)


def _lang(request: web.Request, session: PortalSession) -> Lang:
    """Return the language of a visit: as the site asked, else as the browser does, else the site's own."""
    return session.lang or _read(request) or request.app[SETTINGS].clients[session.client].lang


def _read(request: web.Request) -> Lang | None:
    """Return the language of ours that stands first in what the browser's person reads."""
    wanted = request.headers.get("Accept-Language", "").lower().replace(" ", "").split(",")
    return next((lang for one in wanted for lang in Lang if one.startswith(lang)), None)


def _html(page: Template, values: Mapping[str, str], *, back: str = "", status: int = 200) -> web.Response:
    """Fill *page* with *values*, which are text, and with *back*, which is HTML."""
    safe = {name: escape(value) for name, value in values.items()}
    headers = {**_PRIVATE, "Content-Security-Policy": _POLICY}
    body = page.substitute(safe, back=back)
    return web.Response(text=body, status=status, content_type="text/html", headers=headers)
