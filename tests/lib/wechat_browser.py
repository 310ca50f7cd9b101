"""A browser that goes from the service to WeChat's authorization and back, without pages: redirects and cookies.

It visits the service and the emulated WeChat. A navigation ends at an address of another host, such as a site's
`return_url`, which is not visited: `Visit.status` is None.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientResponse, ClientSession, CookieJar
from harness import World
from yarl import URL

from sandbox.authorization.consents import Consent
from sandbox.authorization.inside import AUTHORIZE, user_agent
from sandbox.people import Person

LONGEST = 20
"""Redirects that are followed."""
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
CONSENT = re.compile(r'data-consent="([^"]+)"')


@dataclass(frozen=True)
class Visit:
    """Where a navigation ended, and the addresses on the way; `consent` is set if a page of WeChat asks there."""

    url: URL
    status: int | None = None
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    consent: str | None = None
    way: tuple[str, ...] = ()

    @property
    def answer(self) -> dict[str, str]:
        """What the address tells the site: `code`, `state`, `error`."""
        return dict(self.url.query)


@dataclass
class Browser:
    """One browser with its cookies, on the last page it visited."""

    world: World
    http: ClientSession
    at: Visit | None = None

    async def open(self, address: str) -> Visit:
        """Go to an address, and where it leads; a path is one of the service."""
        way: list[str] = []
        url = URL(address if "://" in address else self.world.url + address, encoded=True)
        while len(way) < LONGEST:
            way.append(str(url))
            if str(url.origin()) not in (self.world.url, self.world.wechat):
                return self._arrive(Visit(url, way=tuple(way)))
            if str(url.origin()) == self.world.wechat and url.path == AUTHORIZE:
                assert url.fragment == "wechat_redirect", "WeChat demands it (wechat-protocol.md 6)"
            async with self.http.get(url, allow_redirects=False) as response:
                if 300 <= response.status < 400:
                    url = url.join(URL(response.headers["Location"], encoded=True))
                    continue
                return self._arrive(await _page(url, response, way))
        raise AssertionError(f"more than {LONGEST} redirects: {way}")

    @property
    def page(self) -> Visit:
        """The page that it shows."""
        assert self.at, "nothing was opened"
        return self.at

    async def reload(self) -> Visit:
        return await self.open(str(self.page.url))

    async def submit(self, headers: Mapping[str, str] | None = None, **fields: str | list[str]) -> Visit:
        """Send the form of the page with its hidden fields, unless *fields* has others; or with other headers."""
        page = self.page
        given = dict(_HIDDEN.findall(page.text)) | fields
        data = [(name, one) for name, it in given.items() for one in ([it] if isinstance(it, str) else it)]
        own = {"Origin": self.world.url, "Sec-Fetch-Site": "same-origin"}
        sent = own if headers is None else headers
        async with self.http.post(page.url, data=data, headers=sent, allow_redirects=False) as response:
            if response.status == 303:
                return await self.open(response.headers["Location"])
            return self._arrive(await _page(page.url, response, [str(page.url)]))

    async def allow(self, person: Person) -> Visit:
        """Let the person allow what the page asks, and go where it goes then."""
        return await self._go(self.world.authorization.allow(person, self._asked()))

    async def refuse(self, person: Person) -> Visit:
        """Let the person refuse; the page of a website's login stays, and with it the visit."""
        return await self._go(self.world.authorization.refuse(person, self._asked()))

    async def _go(self, consent: Consent) -> Visit:
        return await self.open(consent.address) if consent.address else self.page

    def _asked(self) -> str:
        page = self.page
        assert page.consent, f"WeChat asks nothing at {page.url}: {page.text[:500]}"
        return page.consent

    def _arrive(self, visit: Visit) -> Visit:
        self.at = visit
        return visit


async def _page(url: URL, response: ClientResponse, way: list[str]) -> Visit:
    text = await response.text(errors="replace")
    asks = CONSENT.search(text)
    return Visit(url, response.status, text, response.headers, asks[1] if asks else None, tuple(way))


@asynccontextmanager
async def browsing(
    world: World, person: Person | None = None, *, again: Browser | None = None
) -> AsyncIterator[Browser]:
    """Give a new browser, or one with the cookies and the page of *again*; that inside the WeChat of *person*."""
    agent = user_agent(person) if person else "Mozilla/5.0"
    jar = again.http.cookie_jar if again else CookieJar(unsafe=True)  # hosts are addresses
    async with ClientSession(cookie_jar=jar, headers={"User-Agent": agent}) as http:
        yield Browser(world, http, again.at if again else None)
