"""The shop as an aiohttp application: what stands before every page, and how the parts come together."""

from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler

from demo import settings, signing
from demo.pages import WEB
from demo.scanbind import Scanbind, ScanbindError
from demo.sessions import LIFETIME, Sessions
from demo.site import SESSION, SITE, Site, problem
from demo.users import Users

COOKIE: Final = "shop_session"
LARGEST_BODY: Final = 16 * 1024
STATIC: Final = ("shop.js", "shop.css", "shop.svg")


def make_app(
    *, scanbind_url: str, client_id: str, client_secret: str, phone_url: str, lang: str = "en"
) -> web.Application:
    """Return the shop, ready to run.

    *scanbind_url* is where both this back end and the visitors' browsers reach scanbind; the shop's own origin
    must be among the client's `origins` there. *lang* is `en` or `zh`.
    """
    scanbind_url = scanbind_url.rstrip("/")

    async def site_ctx(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as http:
            app[SITE] = Site(
                scanbind=Scanbind(http, url=scanbind_url, client_id=client_id, client_secret=client_secret),
                scanbind_url=scanbind_url,
                client_id=client_id,
                phone_url=phone_url,
                lang=lang,
                users=Users(),
                sessions=Sessions(),
            )
            yield

    app = web.Application(middlewares=[own_pages_only, know_visitor, tell_refusals], client_max_size=LARGEST_BODY)
    app.cleanup_ctx.append(site_ctx)
    app.on_response_prepare.append(partial(_add_headers, _headers(scanbind_url)))
    app.add_routes([*signing.ROUTES, *settings.ROUTES])
    app.add_routes([web.get(f"/static/{name}", partial(_static, name)) for name in STATIC])
    return app


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what other sites' pages post here with the visitor's cookie (CSRF)."""
    if request.method not in ("GET", "HEAD") and not _from_own_page(request):
        raise web.HTTPForbidden
    return await handler(request)


def _from_own_page(request: web.Request) -> bool:
    """Tell whether the browser says so. Neither header means no browser, hence nobody's cookie is misused.

    SameSite=Lax alone would let pages of the same host at another port in.
    """
    if site := request.headers.get("Sec-Fetch-Site"):
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


@web.middleware
async def know_visitor(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put the visitor's session where the views find it, and give out the cookie when it is a new one."""
    if request.path.startswith("/static/"):
        return await handler(request)
    sessions, cookie = request.app[SITE].sessions, request.cookies.get(COOKIE, "")
    request[SESSION] = sessions.get(cookie) or sessions.start()
    response = await handler(request)
    if request[SESSION].id != cookie:
        response.set_cookie(
            COOKIE,
            request[SESSION].id,
            max_age=LIFETIME,
            httponly=True,
            samesite="Lax",
            secure=request.secure,
        )
    return response


@web.middleware
async def tell_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass on to shop.js what scanbind refused; a late or used code is the page's, anything else is not."""
    try:
        return await handler(request)
    except ScanbindError as e:
        status = HTTPStatus.BAD_REQUEST if e.slug == "invalid-code" else HTTPStatus.BAD_GATEWAY
        return problem(e.slug, status=status)


async def _static(name: str, _request: web.Request) -> web.FileResponse:
    return web.FileResponse(WEB / name)


def _headers(scanbind_url: str) -> dict[str, str]:
    """Return what goes with every answer. The only stranger the pages speak to is scanbind."""
    parts = urlsplit(scanbind_url)
    scanbind = f"{parts.scheme}://{parts.netloc}"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' {scanbind}; connect-src 'self' {scanbind}; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


async def _add_headers(headers: dict[str, str], _request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(headers)
