"""The portal's pages: opening a link, the portal itself, and the pages shown when a link is not opened."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from html import escape
from string import Template
from typing import Final

from aiohttp import web

from handlers.assets import WEB
from handlers.http import authentication, navigation, security_headers
from handlers.http.entity_tags import known_tags
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
_SAME_SITE: Final = ("same-origin", "same-site")
"""`Sec-Fetch-Site` of pages of the service's own site: browsers send our cookie from frames in them."""
_CROSS_SITE: Final = (None, "cross-site")
"""`Sec-Fetch-Site`, if any, of a navigation that a page of another site began."""


async def enter(request: web.Request) -> web.Response:
    """Open a portal link, once: set the cookie and redirect to the portal's page.

    Its own site must lead to it. From anywhere else (a mail, a chat, another site) a page asks the person first,
    and the link stays unused.
    """
    return await _visit(request, intended=_began_at_its_site)


async def go_on(request: web.Request) -> web.Response:
    """Open a portal link by the button of the confirmation page.

    The form of any other page only shows the confirmation page again.
    """
    return await _visit(request, intended=lambda request, _: authentication.is_own_page(request))


async def _visit(request: web.Request, *, intended: Callable[[web.Request, PortalSession], bool]) -> web.Response:
    """Open the link if *intended* allows it, else return a page that explains why not."""
    dest = navigation.destination(request)
    if dest not in (navigation.WINDOW, navigation.FRAME):
        raise ForbiddenOrigin("this link works once: only a navigation opens it, no prefetch and no subresource")
    portal = request.app[PORTAL_SESSIONS]
    session = await portal.linked(request.match_info["token"])
    if session is None:
        return _gone_page(request, None)
    if dest == navigation.FRAME and request.headers.get("Sec-Fetch-Site") not in _SAME_SITE:
        return _framed_page(request, session)
    if session.waits(request.app[CLOCK]()) and not intended(request, session):
        return _confirmation_page(request, session)
    opened = await portal.open(session)
    if opened is None:
        return _gone_page(request, session)
    settings = request.app[SETTINGS]
    lang = _lang(request, opened.session)
    page = f"{settings.server.public_url}/portal/{opened.session.id}?lang={lang}"
    response = web.Response(status=303, headers={**security_headers.PRIVATE, "Location": page})
    cookie.put(request, response, opened)
    return response


async def show(request: web.Request) -> web.Response:
    """Return the portal's page, which fetches its data with the cookie."""
    asked = request.query.get("lang")
    lang = Lang(asked) if asked in list(Lang) else navigation.browser_lang(request) or Lang.EN
    session = request.match_info["session"]
    values = {"lang": lang, "session_id": session, "base": "../"}
    return security_headers.page(_filled(_PAGE, values), framers=await _framers(request, session))


async def style(request: web.Request) -> web.Response:
    """Return the style sheet of the portal's pages."""
    return _file(request, _STYLE, content_type="text/css")


async def icon(request: web.Request) -> web.Response:
    """Return the icon of the portal's pages."""
    return _file(request, _ICON, content_type="image/svg+xml")


def _file(request: web.Request, body: bytes, *, content_type: str) -> web.Response:
    tag = hashlib.sha256(body).hexdigest()[:16]
    headers = {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if tag in known_tags(request, current=tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def _began_at_its_site(request: web.Request, session: PortalSession) -> bool:
    """Tell whether the navigation began at the session's site, whose back end made the link for its own user.

    A redirect after a form keeps the form's page as Referer. A page can suppress the Referer, but cannot send that
    of another site.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site not in _CROSS_SITE:
        return site in _SAME_SITE
    settings, referers = request.app[SETTINGS], request.headers.getall("Referer", ())
    began = origin_of(referers[0]) if len(referers) == 1 else None
    own = origin_of(settings.server.public_url)
    return began is not None and began in (own, *settings.clients[session.client].origins)


def _confirmation_page(request: web.Request, session: PortalSession) -> web.Response:
    """Return the page that names the account and asks to go on; not in a frame, against clickjacking."""
    names = {lang.value: name for lang, name in request.app[SETTINGS].clients[session.client].name.items()}
    account = cleaned_name(session.account_name or "") or cleaned_name(session.user_id) or "?"
    values = {**names, "account": account, "lang": _lang(request, session), "base": "../../"}
    return security_headers.page(_filled(_ASK, values), has_form=True)


def _framed_page(request: web.Request, session: PortalSession) -> web.Response:
    """Return the page that asks for a window of its own; a frame in another site gets no cookie."""
    values = {"lang": _lang(request, session), "base": "../../"}
    origins = request.app[SETTINGS].clients[session.client].origins
    return security_headers.page(_filled(_FRAMED, values), framers=origins)


def _gone_page(request: web.Request, session: PortalSession | None) -> web.Response:
    """Return the page of an unknown or used link; a genuine one also gets a link back to its site."""
    if session is None:
        values = {"lang": navigation.browser_lang(request) or Lang.EN, "base": "../../"}
        return security_headers.page(_filled(_GONE, values), status=404)
    client = request.app[SETTINGS].clients[session.client]
    names = {lang.value: escape(name) for lang, name in client.name.items()}
    back = _BACK.substitute(names, url=escape(session.return_url)) if session.return_url else ""
    values = {"lang": _lang(request, session), "base": "../../"}
    return security_headers.page(_filled(_GONE, values, back=back), framers=client.origins, status=410)


async def _framers(request: web.Request, session_id: str) -> Collection[str]:
    """Return the origins that may frame a session's page: its client's, or none if no client is found."""
    try:
        client = await request.app[PORTAL_SESSIONS].client_of(session_id)
    except StoreUnavailable:
        return ()
    return request.app[SETTINGS].clients[client].origins if client else ()


def _lang(request: web.Request, session: PortalSession) -> Lang:
    """Return the language of a visit: the site's choice, else the browser's, else the client's default."""
    return session.lang or navigation.browser_lang(request) or request.app[SETTINGS].clients[session.client].lang


def _filled(page: Template, values: Mapping[str, str], *, back: str = "") -> str:
    """Fill *page* with *values*, which are escaped, and with *back*, which is HTML."""
    return page.substitute({name: escape(value) for name, value in values.items()}, back=back)
