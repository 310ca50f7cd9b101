"""A visitor of the demo shop, with a browser that keeps its cookies, and the gateway of the shop's SMS."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from harness import World

from demo.forms import Forms
from demo.visitors import Visitor, Visitors
from sandbox.people import Person


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Gateway:
    """An SMS gateway, and what it was given; `status` is its answer."""

    url: str = ""
    status: int = 200
    sent: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.sent.append(await request.json())
        return web.json_response({}, status=self.status)

    @property
    def code(self) -> str:
        """The code of the newest SMS."""
        [code] = re.findall(r"\b[0-9]{6}\b", self.sent[-1]["text"])
        return str(code)


@dataclass
class Visit:
    """A browser at the shop."""

    http: Any
    """A TestClient or ClientSession whose addresses begin with a slash."""
    forms: Forms
    visitors: Visitors

    async def get(self, path: str, **headers: str) -> str:
        answer = await self.http.get(path, headers=headers)
        assert answer.status == 200
        return str(await answer.text())

    async def post(self, path: str, **form: str) -> str:
        """Send a form and return the page that follows."""
        answer = await self.http.post(path, data=form)
        assert answer.status == 200
        return str(await answer.text())

    @property
    def cookie(self) -> str:
        [cookie] = [one.value for one in self.http.session.cookie_jar if one.key == "shop"]
        return str(cookie)

    @property
    def session(self) -> Visitor:
        return self.visitors.by_cookie[self.cookie]

    @property
    def names(self) -> list[str]:
        return [user.name for user in self.forms.users.by_id.values()]

    async def code(self, world: World, person: Person) -> str:
        """Scan the code of the login page, whose state it takes; return what the page would hand in."""
        state = re.search(r'<scanbind-qr [^>]*state="([^"]+)"', await self.get("/login"))
        assert state
        return await scan(world, person, state=state[1])


async def scan(world: World, person: Person, **fields: str) -> str:
    page = await world.login(**fields)
    await world.scan(person, page)
    return str((await page.poll())["code"])


Open = Callable[..., Awaitable[Visit]]
