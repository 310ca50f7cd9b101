"""The session cookie of the portal's own page: browsers send it within the site only, and hide it from scripts."""

from aiohttp import web

from handlers.http import authentication
from models.portal import SESSION_LIVES, PortalSession
from service.portal.sessions import OpenedSession


def put(request: web.Request, response: web.Response, opened: OpenedSession) -> None:
    """Set the cookie with the secret of a session that was just opened."""
    response.set_cookie(
        authentication.portal_cookie(request, opened.session.id),
        opened.secret,
        path="/",
        max_age=int(SESSION_LIVES.total_seconds()),
        secure=authentication.is_https(request),
        httponly=True,
        # Strict works although sites link here: the page itself needs no cookie, and its requests are same-origin.
        samesite="Strict",
    )


def drop(request: web.Request, response: web.Response, session: PortalSession) -> None:
    """Delete the cookie, if the browser sent it."""
    name = authentication.portal_cookie(request, session.id)
    if name in request.cookies:
        response.del_cookie(
            name, path="/", secure=authentication.is_https(request), httponly=True, samesite="Strict"
        )
