"""A visit to the portal: the link as a site's back end makes it, and what its holder can do."""

import asyncio
from dataclasses import dataclass
from http.cookies import Morsel
from typing import Any

from aiohttp import ClientResponse
from harness import ORIGIN, Page, World

from sandbox.people import Person

CLUB = "https://club.example"
"""The origin of a second client's pages."""


async def link(world: World, user_id: str = "42", *, client: str = "shop", **fields: Any) -> dict[str, Any]:
    """Ask for a link as a client's back end."""
    body = {"user_id": user_id, **fields}
    response = await world.site("POST", "/v1/portal-sessions", body, client=client)
    assert response.status == 201, await response.text()
    return dict(await response.json())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Visit:
    """An open session, and its secret as a page of the site holds it or as the browser's cookie."""

    world: World
    token: str
    secret: str

    @property
    def id(self) -> str:
        return self.token.partition(".")[0]

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"scanbind_portal_{self.id}={self.secret}"}

    @property
    def own(self) -> dict[str, str]:
        """What a browser sends for the portal's own page."""
        return {**self.cookie, "Sec-Fetch-Site": "same-origin"}

    async def call(self, method: str = "GET", path: str = "", **how: Any) -> ClientResponse:
        """Call an endpoint of the session with its secret as a bearer, unless *how* has other headers."""
        how.setdefault("headers", bearer(self.secret))
        return await self.world.call(method, f"/v1/portal-sessions/{self.id}{path}", **how)

    async def view(self) -> dict[str, Any]:
        response = await self.call()
        assert response.status == 200, await response.text()
        return dict(await response.json())

    async def bind(self, **fields: Any) -> Page:
        response = await self.call("POST", "/tickets", json=fields)
        assert response.status in (200, 201), await response.text()
        return Page(self.world, await response.json(), response.status)

    async def connect(self, person: Person, page: Page) -> None:
        """Scan the code that *page* shows, and answer with the number it shows then."""
        await self.world.scan(person, page)
        official = self.world.settings.accounts[page.made["account"]]
        await self.world.say(person, (await page.poll())["match"], account=official.appid)


async def visit(world: World, user_id: str = "42", *, client: str = "shop", **fields: Any) -> Visit:
    """Open a new link as a page of the site does."""
    made = await link(world, user_id, client=client, **fields)
    response = await open_(world, made["token"])
    assert response.status == 200, await response.text()
    return Visit(world, made["token"], (await response.json())["secret"])


async def open_(world: World, token: str, *, session: str | None = None, **headers: str) -> ClientResponse:
    """Open a link as a page of the site, by its token."""
    session = token.partition(".")[0] if session is None else session
    return await world.call("POST", f"/v1/portal-sessions/{session}/open", headers={**bearer(token), **headers})


def led_from(origin: str | None) -> dict[str, str]:
    """Return what a browser sends that a page of *origin* leads to the service, by a link or a form's redirect.

    The service is of another site, so the browser says no more of the page than its origin. None: the address was
    typed, or a mail program opened it.
    """
    going = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}
    if origin is None:
        return {**going, "Sec-Fetch-Site": "none"}
    return {**going, "Sec-Fetch-Site": "cross-site", "Referer": f"{origin}/"}


async def follow(
    world: World, made: dict[str, Any], *, origin: str | None = ORIGIN, **headers: str
) -> ClientResponse:
    """Open a link as a browser that a page of *origin* leads there; *headers* stand for its own. Go no further."""
    assert made["url"] == f"{world.url}/portal/open/{made['token']}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await go(world, made["token"], **{**led_from(origin), **named})


async def go(world: World, token: str, **headers: str) -> ClientResponse:
    """Request a link at the service's own address with *headers*, and follow no redirect."""
    return await world.call("GET", f"/portal/open/{token}", headers=headers, allow_redirects=False)


async def press(world: World, made: dict[str, Any]) -> ClientResponse:
    """Send the form of the page that a link shows, as a browser does; go no further."""
    headers = {**led_from(None), "Sec-Fetch-Site": "same-origin", "Origin": world.url}
    return await world.call("POST", f"/portal/open/{made['token']}", headers=headers, allow_redirects=False)


def cookie_of(response: ClientResponse) -> "Morsel[str]":
    """Return the cookie that *response* sets, the only one."""
    [cookie] = response.cookies.values()
    return cookie


async def hosted(world: World, user_id: str = "42", **fields: Any) -> Visit:
    """Open a new link as a browser does; the secret is its cookie."""
    made = await link(world, user_id, **fields)
    return Visit(world, made["token"], cookie_of(await follow(world, made)).value)


async def at_once(*calls: Any) -> list[int]:
    """Return the statuses of calls that are made at the same time, in order of size."""
    return sorted(response.status for response in await asyncio.gather(*calls))
