"""A site for browsers: pages under a strict policy, and a back end that makes tickets."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from aiohttp import ClientSession, web
from harness import basic, free_port
from playwright.async_api import BrowserContext, Page

POLICY: Final = (
    "default-src 'none'; script-src {host}; connect-src {host} 'self'; img-src {host}; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)
TICKET_URL: Final = "/ticket"
LOADED: Final = '<script type="module" src="{host}/widget.js"></script>'


@dataclass
class Asked:
    """What a page sent to the site's back end."""

    body: dict[str, Any]
    cookie: str


@dataclass
class Site:
    """The server of one site; `service` is where its pages get the widget and everything else from."""

    origin: str
    http: ClientSession
    service: str = ""
    wanted: dict[str, Any] = field(default_factory=lambda: {"user_id": "42"})
    asked: list[Asked] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    """What was posted to `/login`."""
    keeps_page: bool = False
    """Whether `/login` answers 204, on which a browser stays where it is."""
    leads_to: str = ""
    """Where a form to `/lead` is sent on."""
    odd: str = "{}"
    """What a POST to `/odd` is answered."""
    pages: dict[str, web.Response] = field(default_factory=dict)

    def put(
        self, body: str, *, path: str = "/", head: str = LOADED, policy: str = POLICY, lang: str = "en"
    ) -> str:
        """Make a page of *body*; return its address. `{host}` in *head* and *policy* stands for the service."""
        document = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Example shop</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{head.replace('{host}', self.service)}</head><body><main><h1>Shop</h1>{body}</main></body></html>"
        )
        headers = {"Content-Security-Policy": policy.format(host=self.service)}
        self.pages[path] = web.Response(text=document, content_type="text/html", headers=headers)
        return self.origin + path

    async def open(self, context: BrowserContext, body: str, **how: Any) -> Page:
        """Put a page there and open it in a new tab."""
        address = self.put(body, **how)
        page = await context.new_page()
        await page.goto(address)
        return page

    async def answer(self, request: web.Request) -> web.Response:
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=204)  # a favicon, say
        return web.Response(body=page.body, headers=page.headers)

    async def answer_oddly(self, _: web.Request) -> web.Response:
        return web.Response(text=self.odd, content_type="application/json")

    async def login(self, request: web.Request) -> web.Response:
        """Take a form."""
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        if self.keeps_page:
            return web.Response(status=204)
        return web.Response(text="<title>Example shop</title>", content_type="text/html")

    async def lead(self, _: web.Request) -> web.Response:
        """Answer a form by a redirect, as a site's back end does that has made a link."""
        return web.Response(status=303, headers={"Location": self.leads_to})

    async def ticket(self, request: web.Request) -> web.Response:
        """Make a ticket for the signed-in user: the endpoint of `ticket-url`."""
        body = await request.json()
        self.asked.append(Asked(body, request.headers.get("Cookie", "")))
        wanted = {**body, **self.wanted}
        address = f"{self.service}/v1/tickets"
        async with self.http.post(address, json=wanted, headers=basic()) as made:
            return web.Response(
                status=made.status, text=json.dumps(await made.json()), content_type=made.content_type
            )


async def arrive(page: Page, address: str, *, origin: str) -> None:
    """Go to *address* by a link on a page at *origin*, as that site's visitors do."""
    start = f"{origin}/lead"
    body = f'<!doctype html><a href="{escape(address)}">Settings</a>'
    await page.route(start, lambda route: route.fulfill(content_type="text/html", body=body))
    await page.goto(start)
    async with page.expect_navigation():
        await page.get_by_role("link").click()
    await page.unroute(start)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Run a site, which has no pages yet and knows no service."""
    with free_port() as sock:
        async with ClientSession() as http:
            one = Site(f"http://127.0.0.1:{sock.getsockname()[1]}", http)
            app = web.Application()
            app.router.add_post(TICKET_URL, one.ticket)
            app.router.add_post("/login", one.login)
            app.router.add_post("/lead", one.lead)
            app.router.add_post("/odd", one.answer_oddly)
            app.router.add_get("/{path:.*}", one.answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.SockSite(runner, sock).start()
            yield one
            await runner.cleanup()
