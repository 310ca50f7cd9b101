"""Takes a browser to WeChat, in a window or in a frame, and takes what it brings back (contract.md 8.3)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from urllib.parse import urlencode

from aiohttp import web

from handlers.http import authentication, brute_force, navigation, security_headers
from handlers.methods import cookie, pages
from handlers.methods.pages import Look, Notice
from models.errors import ForbiddenOrigin, RateLimited, StoreUnavailable
from models.web_authorization import (
    DONE,
    MORE,
    SNAPSHOT,
    CookieMissing,
    ForeignForm,
    Scope,
    UnusableAuthorization,
    Way,
)
from service.app_keys import RATE_LIMITS, SETTINGS, VISITS
from service.crypto.keyring import Capability
from service.methods.visits import Returned

Handler = Callable[[web.Request], Awaitable[web.Response]]


def visited(handler: Handler) -> Handler:
    """Count the visit of an address; answer what people can do nothing about with a page."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.Response:
        try:
            await request.app[RATE_LIMITS].visit(authentication.address(request))
            return await handler(request)
        except CookieMissing as e:
            return _landing(request, Notice.NO_COOKIE, e.client, {"scanbind": "cookies"}, status=400)
        except UnusableAuthorization:
            return pages.notice(request, Notice.UNUSABLE, status=400)
        except ForeignForm:
            return pages.notice(request, Notice.FOREIGN, status=403)
        except RateLimited as e:
            brute_force.note(request.app, e, authentication.address(request))
            return _retry(pages.notice(request, Notice.LIMITED, status=429), e.retry_after)
        except StoreUnavailable as e:
            return _retry(pages.notice(request, Notice.AWAY, status=503), e.retry_after)

    return answer


@visited
async def authorize(request: web.Request) -> web.Response:
    """Take a browser to WeChat."""
    return await leave(request, Capability.AUTHORIZE, Way.REDIRECT)


@visited
async def panel(request: web.Request) -> web.Response:
    """Take a frame in a page of the site to WeChat."""
    return await leave(request, Capability.PANEL, Way.PANEL)


@visited
async def ask_more(request: web.Request) -> web.Response:
    """Ask whether WeChat may be asked for more than the openid: it shows pages that ask on load as snapshots."""
    given = request.match_info["capability"]
    head, client = request.app[VISITS].holder(Capability.AUTHORIZE, given)
    form = pages.button("userinfo", zh="继续", en="Continue")
    names = request.app[SETTINGS].clients[client].name
    return pages.notice(request, Notice.MORE, Look(names=names, form=form), lang=head.lang)


@visited
async def userinfo(request: web.Request) -> web.Response:
    """Take a browser to WeChat again, after a tap."""
    return await leave(request, Capability.AUTHORIZE, Way.REDIRECT, scope=Scope.USERINFO)


async def leave(request: web.Request, what: Capability, way: Way, *, scope: Scope | None = None) -> web.Response:
    """Set the browser's cookie and redirect it to WeChat.

    Raises:
        ForbiddenOrigin: this is no navigation of a person, in a window or, for a panel, in a frame.
        UnusableAuthorization: as `Visits.open`.
    """
    where = navigation.FRAME if way is Way.PANEL else navigation.WINDOW
    if navigation.destination(request, unknown=where) != where:
        raise ForbiddenOrigin("only a navigation opens this address, no prefetch and no subresource")
    mark = cookie.read(request, way) or cookie.new()
    lang = navigation.browser_lang(request)
    address = await request.app[VISITS].open(
        what,
        request.match_info["capability"],
        cookie=mark,
        in_session=partial(authentication.has_portal_cookie, request),
        lang=lang,
        in_wecom=navigation.inside_wecom(request),
        scope=scope,
    )
    response = web.Response(status=302, headers={**security_headers.PRIVATE, "Location": address})
    cookie.put(request, response, way, mark)
    return response


@visited
async def callback(request: web.Request) -> web.Response:
    """Take what WeChat returns, and send the browser on."""
    query = request.query
    returned = await request.app[VISITS].returned(
        request.match_info["name"],
        state=query.get("state", ""),
        code=query.get("code", ""),
        cookies={way: cookie.read(request, way) for way in Way},
    )
    return _show(request, returned)


def _show(request: web.Request, returned: Returned) -> web.Response:
    visits = request.app[VISITS]
    if returned.outcome == SNAPSHOT:
        look = Look(data={"again": visits.address(returned)})
        return pages.notice(request, Notice.SNAPSHOT, look, lang=returned.head.lang)
    if returned.outcome == MORE:
        return redirect(f"{visits.address(returned)}/more")
    if returned.way is Way.LINK:
        return redirect(f"{visits.address(returned)}/{returned.state}")
    if returned.way is Way.PANEL:
        what = "authorized" if returned.outcome == DONE else "refused"
        return _landing(request, Notice.RETURNED, returned.client, {"scanbind": what, **returned.fields})
    separator = "&" if "?" in returned.return_url else "?"
    return redirect(f"{returned.return_url}{separator}{urlencode(returned.fields)}")


def _landing(
    request: web.Request, what: Notice, client: str, message: Mapping[str, str], *, status: int = 200
) -> web.Response:
    """Return the page in a panel that hands *message* to the page around it, if that is one of the client's."""
    origins = request.app[SETTINGS].clients[client].origins
    data = {"message": dict(message), "origins": list(origins)}
    return pages.notice(request, what, Look(data=data, framers=origins), status=status)


def redirect(address: str) -> web.Response:
    """Return a redirect that no cache keeps and no other site learns of."""
    return web.Response(status=303, headers={**security_headers.PRIVATE, "Location": address})


def _retry(response: web.Response, seconds: int) -> web.Response:
    response.headers["Retry-After"] = str(seconds)
    return response
