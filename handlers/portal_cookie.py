"""The cookie of the portal's own page. It reaches the doors of its session alone, and no script reads it."""

from urllib.parse import urlsplit

from aiohttp import web

from handlers import auth
from models.portal import SESSION_LIVES, PortalSession
from service.keys import SETTINGS
from service.portal import Opened


def put(request: web.Request, response: web.Response, opened: Opened) -> None:
    """Let the browser hold the secret of a session that was just opened."""
    response.set_cookie(
        auth.PORTAL_COOKIE,
        opened.secret,
        path=_path(request, opened.session),
        max_age=int(SESSION_LIVES.total_seconds()),
        secure=auth.secure(request),
        httponly=True,
        samesite="Lax",
    )


def drop(request: web.Request, response: web.Response, session: PortalSession) -> None:
    """Let the browser forget the secret, if it holds one."""
    if auth.PORTAL_COOKIE in request.cookies:
        path = _path(request, session)
        secure = auth.secure(request)
        response.del_cookie(auth.PORTAL_COOKIE, path=path, secure=secure, httponly=True, samesite="Lax")


def _path(request: web.Request, session: PortalSession) -> str:
    return f"{urlsplit(request.app[SETTINGS].server.public_url).path}/v1/portal-sessions/{session.id}"
