"""Pages that are open inside people's WeChat: a site that records requests, and the phone page's frame."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from authorizing import WeChat
from yarl import URL

from sandbox.people import Person

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """What was requested, and what each path answers; a path without an answer is 404."""

    url: str = ""
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        if request.path not in self.answers:
            raise web.HTTPNotFound
        return await self.answers[request.path](request)

    def shows(self, path: str, html: str = "", *, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.Response:
            kind = None if "Content-Type" in named else "text/html"
            return web.Response(text=html, status=status, content_type=kind, headers=named)

        self.answers[path] = answer


@dataclass
class Inside:
    """Frames of the phone page, one for each person."""

    wechat: WeChat
    site: Site

    def address(self, person: Person, url: str) -> str:
        scheme, _, rest = url.partition("://")
        return f"/inside/{person.id}/{scheme}/{rest}"

    async def open(self, person: Person, url: str, method: str = "GET", **how: Any) -> ClientResponse:
        """Open a page as the frame does, without following where it leads; a path is one of the site."""
        url = url if "://" in url else self.site.url + url
        headers = {"Accept": "text/html", **how.pop("headers", {})}
        address = URL(self.origin + self.address(person, url), encoded=True)
        return await self.client.session.request(method, address, headers=headers, allow_redirects=False, **how)

    @property
    def client(self) -> TestClient:
        return self.wechat.client

    @property
    def origin(self) -> str:
        return str(self.client.make_url("/").origin())
