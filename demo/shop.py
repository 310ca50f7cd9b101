"""An example shop that integrates scanbind: its addresses. Forms answer with a redirect.

Read on in forms.py, what the forms do, and in pages.py, what the pages show.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from demo.forms import Form, Forms, Next
from demo.pages import DONE, Look, Pages
from demo.phones import Codes
from demo.scanbind import Client, Scanbind
from demo.templates import WEB
from demo.users import READY, Users
from demo.visitors import Visitor, Visitors

__all__ = ["DONE", "READY", "make_app"]

GUARD: Final = {"X-Frame-Options": "DENY", "Cache-Control": "no-store"}  # the content policy is in shop.html
FIELDS: Final = ("name", "password", "number", "code", "join", "state", "kind")
Act = Callable[[Visitor, Form], Awaitable[Next]]


@dataclass(slots=True, kw_only=True)
class Shop:
    visitors: Visitors
    pages: Pages

    async def show(self, request: web.Request, *, page: str) -> web.Response:
        visitor, query = self._visitor(request), request.query
        agent, here = request.headers.get("User-Agent", ""), str(request.url.origin())
        inside = "MicroMessenger" in agent and "wxwork" not in agent  # the latter is WeCom
        look = Look(_lang(request), here, inside, query.get("say", ""), query.get("method", ""))
        html = await self.pages.show(page, visitor, look)
        return self._keep(request, visitor, web.Response(text=html, content_type="text/html", headers=GUARD))

    async def act(self, request: web.Request, *, act: Act) -> web.Response:
        """Process a form, or what WeChat led back with."""
        posted, cookie = request.method == "POST", request.cookies.get(_session(request), "")
        if posted and request.headers.get("Origin", f"//{request.host}").partition("//")[2] != request.host:
            raise web.HTTPForbidden  # sent by a page of another site (CSRF)
        body = await request.read() if posted else request.rel_url.raw_query_string.encode()
        # Behind a proxy the address is that of the proxy, which must then tell the visitor's.
        about = {"lang": _lang(request), "here": str(request.url.origin()), "address": request.remote or ""}
        visitor, place = await act(self._visitor(request), dict.fromkeys(FIELDS, "") | _fields(body) | about)
        response = web.Response(status=303, headers={"Location": place})
        lost = cookie not in self.visitors.by_cookie and self.visitors.is_new(visitor) and place.startswith("/")
        # When a form is sent twice, the first answer may have set the cookie of another session.
        return response if lost else self._keep(request, visitor, response)

    def _visitor(self, request: web.Request) -> Visitor:
        return self.visitors.get(request.cookies.get(_session(request), ""))

    def _keep(self, request: web.Request, visitor: Visitor, response: web.Response) -> web.Response:
        """Set the cookies that changed."""
        cookie = request.cookies.get(_session(request), "")
        if "lang" in request.query:  # remember the choice
            response.set_cookie("lang", _lang(request), httponly=True, samesite="Lax")
        if visitor.cookie != cookie:
            self.visitors.replace(cookie, visitor)
            name, secure = _session(request), request.secure
            response.set_cookie(name, visitor.cookie, httponly=True, samesite="Lax", secure=secure)
        return response


def _session(request: web.Request) -> str:
    """Return the name of the session's cookie: over https one that no other site of the domain can set."""
    return "__Host-shop" if request.secure else "shop"


def _lang(request: web.Request) -> str:
    asked = (
        request.query.get("lang") or request.cookies.get("lang") or request.headers.get("Accept-Language") or ""
    )
    return "zh" if asked[:2] == "zh" else "en"


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), strict_parsing=bool(body), errors="strict"))
    except ValueError as e:
        raise web.HTTPBadRequest from e


def make_app(
    *,
    scanbind_url: str,
    phone_url: str,
    sms_url: str,
    clients: Mapping[str, Client],
    kind: str,
    clock: Callable[[], float] = time.monotonic,
) -> web.Application:
    """Return the shop. Its clients have its origin in `origins`, and with DONE in `return_urls`.

    `phone_url` is the emulated WeChat; a site for real people allows https://open.weixin.qq.com in its policy.
    `sms_url` takes the SMS. `clients` maps kinds of accounts (pages.KINDS) to the shop's clients; `kind` is the
    one that visitors begin with.
    """
    scanbind = {one: Scanbind(scanbind_url.rstrip("/"), client) for one, client in clients.items()}
    forms = Forms(scanbind=scanbind, users=Users(), codes=Codes(sms_url, clock), clock=clock)
    shop = Shop(visitors=Visitors(kind), pages=Pages(scanbind=scanbind, phone_url=phone_url, clock=clock))
    app = web.Application(client_max_size=16 * 1024)
    add_routes(app, shop, forms)
    return app


def add_routes(app: web.Application, shop: Shop, forms: Forms) -> None:
    pages = {"/": "login", "/login": "login", "/settings": "login"}
    pages |= {"/signup": "signup", "/phone": "phone", "/ways": "ways"}
    acts: dict[str, Act] = {"/login": forms.sign_in, "/signup": forms.sign_up, "/logout": forms.sign_out}
    acts |= {"/phone": forms.send_code, "/phone/code": forms.take_code, "/ways": forms.choose_kind}
    acts |= {"/login/wechat": forms.scanned, "/login/wechat/start": forms.leave}
    acts |= {"/settings/wechat": forms.portal, "/settings/wechat/scanned": forms.connect}
    app.add_routes(web.get(path, partial(shop.show, page=page)) for path, page in pages.items())
    app.add_routes(web.post(path, partial(shop.act, act=act)) for path, act in acts.items())
    app.router.add_get(DONE, partial(shop.act, act=forms.returned), allow_head=False)
    app.router.add_static("/static", WEB)
