"""An example shop that integrates scanbind. Forms answer with a redirect; each sign-in starts a new session."""

import hashlib
import re
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from secrets import compare_digest, token_urlsafe
from string import Template
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from demo.scanbind import Client, Scanbind

WEB: Final = Path(__file__).parent / "web"
PART: Final = re.compile(r"<!--(\w+)-->(.*?)<!--/-->", re.DOTALL)  # optional parts of the page
DONE: Final = "/login/wechat/done"  # where WeChat leads back to
TWICE: Final = re.compile(r"\[\[(?P<en>.*?)\|(?P<zh>.*?)\]\]")  # its texts in both languages
READY: Final = ("anna", "ben")  # initial users; id, name and password are the same
GUARD: Final = {"X-Frame-Options": "DENY", "Cache-Control": "no-store"}  # the content policy is in shop.html
scrypt: Final = partial(hashlib.scrypt, n=2**14, r=8, p=1)
Act = Callable[["Visitor", dict[str, str]], Awaitable[tuple["Visitor", str]]]  # with the redirect address


@dataclass(frozen=True, slots=True)
class User:
    id: str = ""  # sent to scanbind; never reused for another user, as a name might be
    name: str = ""
    digest: bytes = b""  # of the password, salted with the id; empty: the user signs in with WeChat only


@dataclass(slots=True)
class Visitor:
    user: User | None = None
    registration: str = ""  # of a WeChat that was used here and is not bound to a user
    cookie: str = field(default_factory=token_urlsafe)
    state: str = field(default_factory=token_urlsafe)  # sent with a login; its one-time code must return it


class Shop:
    def __init__(self, scanbind: Scanbind, phone: str) -> None:
        self.ask = scanbind.ask
        self.values = {"scanbind": scanbind.url, "client": scanbind.client.id, "phone": phone}
        self.users = {name: User(name, name, scrypt(name.encode(), salt=name.encode())) for name in READY}
        self.visitors: dict[str, Visitor] = {}

    async def answer(self, request: web.Request, *, act: Act | None = None) -> web.Response:
        """Process a form, or show the page, for the visitor with this cookie."""
        cookie, asked = request.cookies.get("shop", ""), request.headers.get("Accept-Language", "")
        visitor = self.visitors.get(cookie) or Visitor()
        lang = (request.query.get("lang") or request.cookies.get("lang") or asked)[:2]
        values = {"lang": "zh" if lang == "zh" else "en", "way": "signup" if "signup" in request.path else "login"}
        values["here"], posted = str(request.url.origin()), request.method == "POST"
        if act is None:
            where = "inside" if "MicroMessenger" in request.headers.get("User-Agent", "") else "outside"
            notice = f"say_{request.query.get('say')}"
            response = await self.page(visitor, where=where, notice=notice, **values)
        elif posted and request.headers.get("Origin", f"//{request.host}").partition("//")[2] != request.host:
            raise web.HTTPForbidden  # sent by a page of another site (CSRF)
        else:
            try:
                body = (await request.read()).decode() if posted else request.rel_url.raw_query_string
                fields = parse_qsl(body, strict_parsing=bool(body), errors="strict")
            except ValueError as e:
                raise web.HTTPBadRequest from e
            form = dict.fromkeys(("name", "password", "code", "join", "state"), "") | dict(fields)
            visitor, place = await act(visitor, form | values)
            response = web.Response(status=303, headers={"Location": place})
        if "lang" in request.query:  # remember the choice
            response.set_cookie("lang", values["lang"], httponly=True, samesite="Lax")
        if visitor.cookie != cookie:
            self.visitors.pop(cookie, None)
            self.visitors = dict([*self.visitors.items(), (visitor.cookie, visitor)][-10_000:])
            response.set_cookie("shop", visitor.cookie, httponly=True, samesite="Lax", secure=request.secure)
        return response

    async def page(
        self, visitor: Visitor, *, lang: str, way: str, here: str, where: str, notice: str
    ) -> web.Response:
        """Show the login or signup forms to visitors, and to users their account and its WeChat binding."""
        user, waiting = visitor.user or User(), ("joins", f"{way}_new") if visitor.registration else ()
        answer = await self.ask("GET", f"bindings/{user.id}") if visitor.user else None
        since = min((one["bound_at"][:10] for one in answer["bindings"]), default="") if answer else ""
        account = ("user", "bound" if since else "unbound", "offer" if visitor.registration and not since else "")
        parts = {notice, *(account if visitor.user else ("visitor", way, f"{way}_{where}", *waiting))}
        values = {**self.values, "way": way, "name": user.name, "since": since}
        values |= {"state": visitor.state, "done": here + DONE}
        html = PART.sub(lambda part: part[2] if part[1] in parts else "", (WEB / "shop.html").read_text("utf-8"))
        html = TWICE.sub(lambda both: both[lang], html)
        text = Template(html).substitute({key: escape(value) for key, value in values.items()})
        return web.Response(text=text, content_type="text/html", headers=GUARD)

    async def sign_in(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        user = self.users.get(form["name"], User())
        digest = await to_thread(scrypt, form["password"].encode(), salt=user.id.encode())
        if not compare_digest(digest, user.digest):
            return visitor, "/login?say=wrong"
        return await self.enter(visitor, user, join=bool(form["join"]))

    async def sign_up(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        """Create a user, who needs no password if a WeChat was used here."""
        name, password, salt = form["name"], form["password"].encode(), token_urlsafe()
        user = User(salt, name, await to_thread(scrypt, password, salt=salt.encode()) if password else b"")
        wrong = not 0 < len(name) <= 64 or not (password or visitor.registration) or len(self.users) >= 10_000
        if wrong or self.users.setdefault(name, user) is not user:
            return visitor, "/signup?say=taken"
        entered, place = await self.enter(visitor, user, join=bool(form["join"] or not password))
        if place == "/" or password:
            return entered, place
        del self.users[name]  # without a password or WeChat it is unusable
        return visitor, "/signup?say=again"

    async def enter(self, visitor: Visitor, user: User, *, join: bool) -> tuple[Visitor, str]:
        """Sign *user* in on a new session, and with *join* bind the WeChat that was used here.

        Without *join* it waits on the user's page: another person may have scanned in this browser before.
        """
        token = visitor.registration
        if join and token and await self.ask("POST", "bindings", user_id=user.id, registration=token):
            token = ""
        return Visitor(user, token), "/?say=again" if join and token else "/"

    async def connect(self, visitor: Visitor, _form: dict[str, str]) -> tuple[Visitor, str]:
        """Bind the WeChat that was used here to the user who signed in since."""
        return await self.enter(visitor, visitor.user, join=True) if visitor.user else (visitor, "/login")

    async def leave(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        """Redirect a browser inside WeChat to WeChat, which leads back to DONE with the visitor's state."""
        how = {"method": "h5", "return_url": form["here"] + DONE, "state": visitor.state}
        ticket = await self.ask("POST", "tickets", purpose="login", lang=form["lang"], **how)
        return visitor, (ticket or {}).get("authorize_url") or "/login?say=again"

    async def returned(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        """Take what WeChat led back with: a one-time code, or an error."""
        # Before the exchange: a code for another visitor's state is not even used up.
        return await self.scanned(visitor, form if form["state"] == visitor.state else {"code": ""})

    async def scanned(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        """Exchange the one-time code of a login: sign its user in, or offer a new one to sign up."""
        login = await self.ask("POST", "exchange", code=form["code"])
        if not login or login["state"] != visitor.state:  # an attacker could submit the code of their own login
            return visitor, "/login?say=again"
        if login["outcome"] == "register":
            visitor.registration = login["registration"]
            return visitor, "/signup"
        if user := next((user for user in self.users.values() if user.id == login["user_id"]), None):
            return Visitor(user), "/"
        await self.ask("DELETE", f"bindings/{login['user_id']}")  # of a user that a restart has lost
        return visitor, "/login?say=again"

    async def portal(self, visitor: Visitor, form: dict[str, str]) -> tuple[Visitor, str]:
        """Redirect the user to the portal, which connects and disconnects WeChat."""
        user = visitor.user or User()
        about = {"user_id": user.id, "account_name": user.name, "only_login": not user.digest}
        session = await self.ask("POST", "portal-sessions", **about, return_url=form["here"], lang=form["lang"])
        return visitor, session["url"] if session else "/?say=again"

    async def sign_out(self, _visitor: Visitor, _form: dict[str, str]) -> tuple[Visitor, str]:
        return Visitor(), "/"


def make_app(
    *, scanbind_url: str, phone_url: str, sms_url: str, clients: Mapping[str, Client], kind: str
) -> web.Application:
    """Return the shop. Its clients have its origin in `origins`, and with DONE in `return_urls`.

    `phone_url` is the emulated WeChat; a site for real people allows https://open.weixin.qq.com in its policy.
    `sms_url` takes its SMS. `clients` maps kinds of accounts to the shop's clients; `kind` is the first to use.
    """
    _ = sms_url  # for registration by phone
    shop = Shop(Scanbind(scanbind_url.rstrip("/"), clients[kind]), phone_url)
    acts: dict[str, Act] = {"/login": shop.sign_in, "/signup": shop.sign_up, "/login/wechat": shop.scanned}
    acts |= {"/settings/wechat": shop.portal, "/settings/wechat/scanned": shop.connect}
    acts |= {"/login/wechat/start": shop.leave, "/logout": shop.sign_out}
    app = web.Application(client_max_size=16 * 1024)
    app.add_routes(web.get(path, shop.answer) for path in ("/", "/login", "/signup", "/settings"))
    app.add_routes(web.post(path, partial(shop.answer, act=act)) for path, act in acts.items())
    app.router.add_get(DONE, partial(shop.answer, act=shop.returned), allow_head=False)
    app.router.add_static("/static", WEB)
    return app
