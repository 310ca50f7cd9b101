"""The portal's own pages: a link that opens once, the page behind it, and what a link shows that stays shut."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers.assets import WEB
from handlers.http import authentication, security_headers
from handlers.http.responses import listed
from handlers.portal import cookie
from models.errors import ForbiddenOrigin, StoreUnavailable
from models.language import Lang
from models.portal import PortalSession
from models.requester import cleaned_name
from models.web_origin import origin_of
from service.app_keys import CLOCK, PORTAL_SESSIONS, SETTINGS

_PAGE: Final = Template((WEB / "portal.html").read_text(encoding="utf-8"))
_ASK: Final = Template((WEB / "portal-ask.html").read_text(encoding="utf-8"))
_GONE: Final = Template((WEB / "portal-gone.html").read_text(encoding="utf-8"))
_FRAMED: Final = Template((WEB / "portal-framed.html").read_text(encoding="utf-8"))
_STYLE: Final = (WEB / "portal.css").read_bytes()
_ICON: Final = (WEB / "portal.svg").read_bytes()
_BACK: Final = Template(
    '<p class="back"><a href="$url" data-testid="portal-return">'
    '<span lang="zh">返回$zh</span> · <span lang="en">Back to $en</span></a></p>'
)
_A_PAGE: Final = "document"
_A_FRAME: Final = "iframe"
_NEIGHBOURS: Final = ("same-origin", "same-site")
"""Pages of the service's own site: browsers send our cookie from within their frames."""
_ELSEWHERE: Final = (None, "cross-site")
"""What `Sec-Fetch-Site` says, if anything, of a navigation that another site's page began."""
_FETCHED_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Moz")


async def enter(request: web.Request) -> web.Response:
    """Open a link that its own site leads to, once: the browser gets the session's cookie and goes to its page.

    Led there by anything else (a mail, a chat, another site) the person is asked first, and the link stays unused.
    """
    return await _visit(request, meant=_led_by_its_site)


async def go_on(request: web.Request) -> web.Response:
    """Open a link by the button of the page that asks; a form of any other page only has it shown again."""
    return await _visit(request, meant=lambda request, _: authentication.is_own_page(request))


async def _visit(request: web.Request, *, meant: Callable[[web.Request, PortalSession], bool]) -> web.Response:
    """Open a link if the person *meant* to, else say why it stays closed."""
    ahead = any("prefetch" in request.headers.get(name, "").lower() for name in _FETCHED_AHEAD)
    dest = request.headers.get("Sec-Fetch-Dest", _A_PAGE)
    if ahead or dest not in (_A_PAGE, _A_FRAME):
        raise ForbiddenOrigin(
            "this link works once, so it is opened by a person who goes there, and by nothing else"
        )
    portal = request.app[PORTAL_SESSIONS]
    session = await portal.linked(request.match_info["token"])
    if session is None:
        return _gone(request, None)
    if dest == _A_FRAME and request.headers.get("Sec-Fetch-Site") not in _NEIGHBOURS:
        return _framed(request, session)
    if session.waits(request.app[CLOCK]()) and not meant(request, session):
        return _asking(request, session)
    opened = await portal.open(session)
    if opened is None:
        return _gone(request, session)
    settings = request.app[SETTINGS]
    lang = _lang(request, opened.session)
    page = f"{settings.server.public_url}/portal/{opened.session.id}?lang={lang}"
    response = web.Response(status=303, headers={**security_headers.PRIVATE, "Location": page})
    cookie.put(request, response, opened)
    return response


async def show(request: web.Request) -> web.Response:
    """Give the portal's page; what it shows it fetches with its cookie."""
    asked = request.query.get("lang")
    lang = Lang(asked) if asked in list(Lang) else _read(request) or Lang.EN
    session = request.match_info["session"]
    values = {"lang": lang, "session_id": session, "base": "../"}
    return security_headers.page(_filled(_PAGE, values), framers=await _framers(request, session))


async def style(request: web.Request) -> web.Response:
    """Give the looks of the portal's pages."""
    return _file(request, _STYLE, content_type="text/css")


async def icon(request: web.Request) -> web.Response:
    """Give the picture that browsers put before the title of the portal's pages."""
    return _file(request, _ICON, content_type="image/svg+xml")


def _file(request: web.Request, body: bytes, *, content_type: str) -> web.Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if tag in listed(request, "If-None-Match"):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def _led_by_its_site(request: web.Request, session: PortalSession) -> bool:
    """Tell whether the navigation began at the session's site, whose back end made the link for its own user.

    The redirect that answers a form keeps the form's page as Referer. A page can keep its browser from sending a
    Referer, but cannot have it send another site's.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site not in _ELSEWHERE:
        return site in _NEIGHBOURS
    settings, referers = request.app[SETTINGS], request.headers.getall("Referer", ())
    began = origin_of(referers[0]) if len(referers) == 1 else None
    own = origin_of(settings.server.public_url)
    return began is not None and began in (own, *settings.clients[session.client].origins)


def _asking(request: web.Request, session: PortalSession) -> web.Response:
    """Say whose account the link is for, and offer to go on; in no frame, where a click could be stolen."""
    names = {lang.value: name for lang, name in request.app[SETTINGS].clients[session.client].name.items()}
    account = cleaned_name(session.account_name or "") or cleaned_name(session.user_id) or "?"
    values = {**names, "account": account, "lang": _lang(request, session), "base": "../../"}
    return security_headers.page(_filled(_ASK, values), has_form=True)


def _framed(request: web.Request, session: PortalSession) -> web.Response:
    """Ask to be opened by itself, and leave the link for that: in another site's page there would be no cookie."""
    values = {"lang": _lang(request, session), "base": "../../"}
    origins = request.app[SETTINGS].clients[session.client].origins
    return security_headers.page(_filled(_FRAMED, values), framers=origins)


def _gone(request: web.Request, session: PortalSession | None) -> web.Response:
    """Say that a link works once; whoever holds a genuine one is shown the way back."""
    if session is None:
        values = {"lang": _read(request) or Lang.EN, "base": "../../"}
        return security_headers.page(_filled(_GONE, values), status=404)
    client = request.app[SETTINGS].clients[session.client]
    names = {lang.value: escape(name) for lang, name in client.name.items()}
    back = _BACK.substitute(names, url=escape(session.return_url)) if session.return_url else ""
    values = {"lang": _lang(request, session), "base": "../../"}
    return security_headers.page(_filled(_GONE, values, back=back), framers=client.origins, status=410)


async def _framers(request: web.Request, session_id: str) -> Collection[str]:
    """Return the origins whose pages may frame a session's page: its site's, or none if that is not known."""
    try:
        client = await request.app[PORTAL_SESSIONS].client_of(session_id)
    except StoreUnavailable:
        return ()
    return request.app[SETTINGS].clients[client].origins if client else ()


def _lang(request: web.Request, session: PortalSession) -> Lang:
    """Return the language of a visit: as the site asked, else as the browser does, else the site's own."""
    return session.lang or _read(request) or request.app[SETTINGS].clients[session.client].lang


def _read(request: web.Request) -> Lang | None:
    """Return the language of ours that stands first in what the browser's person reads."""
    wanted = request.headers.get("Accept-Language", "").lower().replace(" ", "").split(",")
    return next((lang for one in wanted for lang in Lang if one.startswith(lang)), None)


def _filled(page: Template, values: Mapping[str, str], *, back: str = "") -> str:
    """Fill *page* with *values*, which are text, and with *back*, which is HTML."""
    return page.substitute({name: escape(value) for name, value in values.items()}, back=back)
