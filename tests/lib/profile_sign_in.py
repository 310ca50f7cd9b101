"""Sign-ins that tell a person's name and picture."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import ClientResponse
from harness import World
from redirecting import BACK, H5, WEBSITE_LOGIN, Kind, redirecting
from wechat_browser import browsing

from sandbox.people import Person
from service.app_keys import VISITS

SHOWING = (WEBSITE_LOGIN, H5)
"""The methods by which WeChat tells name and picture."""


@dataclass
class Town:
    """A world whose shop asks for profiles, by one method."""

    world: World
    kind: Kind
    person: Person

    async def code(self, person: Person | None = None, *, client: str = "shop") -> str:
        """Sign a person in, and return the one-time code for the site."""
        person = person or self.person
        page = await self.world.login(client=client, method=self.kind.method, return_url=BACK, state="s")
        async with browsing(self.world, self.kind.phone(person)) as browser:
            shown = await self.kind.sign_in(browser, page, person)
            if shown.status == 200:  # inside WeChat: the tap that leads to the question
                assert browser.at
                await browser.open(str(browser.at.url).replace("/more", "/userinfo"))
                shown = await browser.allow(person)
        return str(shown.answer["code"])

    async def sign_in(self, person: Person | None = None, *, client: str = "shop") -> dict[str, Any]:
        """Sign a person in, and return what the exchange answers."""
        response = await self.world.exchange(await self.code(person, client=client), client=client)
        redeemed: dict[str, Any] = await response.json()
        assert response.status == 200, redeemed
        return redeemed

    async def bound(self, user_id: str, person: Person | None = None) -> dict[str, Any]:
        """Sign a new person in, register them as *user_id*, and return the binding."""
        registration = (await self.sign_in(person))["registration"]
        body = {"user_id": user_id, "registration": registration}
        response = await self.world.site("POST", "/v1/bindings", body)
        made: dict[str, Any] = await response.json()
        assert response.status == 201, made
        return made

    async def picture(self, address: str) -> ClientResponse:
        """Fetch a picture as any browser does."""
        assert address.startswith(f"{self.world.url}/v1/profile-pictures/")
        return await self.world.http.get(address)


async def town(make: Callable[..., Any], kind: Kind, *, patient: bool = True, **changes: Any) -> Town:
    """Start a world with a client that shows profiles and offers *kind*; see `be_patient`."""
    world, person = await redirecting(make, kind, oauth="userinfo", **{"profile": True, **changes})
    if patient:
        be_patient(world)
    return Town(world, kind, person)


def be_patient(world: World) -> None:
    """Let the service wait long for pictures: a busy machine is slow, and goes on without them otherwise."""
    assert world.app
    refresh = world.app[VISITS].profile_refresh
    refresh.download.time_limit = 60
    refresh.encoding = replace(refresh.encoding, time_limit=60)
