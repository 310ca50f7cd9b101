"""A visitor of the demo shop, with a browser that keeps its cookies."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp.test_utils import TestClient
from harness import World

from demo.shop import Shop
from sandbox.people import Person


@dataclass
class Visit:
    """A browser at the shop."""

    http: TestClient
    shop: Shop

    async def get(self, path: str, **headers: str) -> str:
        answer = await self.http.get(path, headers=headers)
        assert answer.status == 200
        return await answer.text()

    async def post(self, path: str, **form: str) -> str:
        """Send a form and return the page that follows."""
        answer = await self.http.post(path, data=form)
        assert answer.status == 200
        return await answer.text()

    @property
    def cookie(self) -> str:
        [cookie] = [one.value for one in self.http.session.cookie_jar if one.key == "shop"]
        return cookie

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
