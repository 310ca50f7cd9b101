"""The cookie of the portal's own page. It goes along within the service's site alone, and no script reads it."""

from aiohttp import web

from handlers.http import authentication
from models.portal import SESSION_LIVES, PortalSession
from service.portal.sessions import OpenedSession


def put(request: web.Request, response: web.Response, opened: OpenedSession) -> None:
    """Let the browser hold the secret of a session that was just opened."""
    response.set_cookie(
        authentication.portal_cookie(request, opened.session.id),
        opened.secret,
        path="/",
        max_age=int(SESSION_LIVES.total_seconds()),
        secure=authentication.is_https(request),
        httponly=True,
        # Strict does, though sites lead here: the page needs no cookie, what it asks for then is asked by itself.
        samesite="Strict",
    )


def drop(request: web.Request, response: web.Response, session: PortalSession) -> None:
    """Let the browser forget the secret, if it holds one."""
    name = authentication.portal_cookie(request, session.id)
    if name in request.cookies:
        response.del_cookie(
            name, path="/", secure=authentication.is_https(request), httponly=True, samesite="Strict"
        )
