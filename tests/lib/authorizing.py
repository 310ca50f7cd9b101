"""A sandbox with an account and two websites, and a client of it that plays browsers and apps."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from sandbox.account import App, Website
from sandbox.app import AUTHORIZATION, SANDBOX
from sandbox.authorization.inside import user_agent
from sandbox.people import Person

SITE = Website(appid="wxsite", secret="a" * 32, domain="login.test", name="Shop <1>", open_platform="acme")
OTHER = replace(SITE, appid="wxother", secret="b" * 32)
BACK = "https://login.test:8443/oauth/site?a=1"


class WeChat:
    """The sandbox as browsers and apps see it."""

    def __init__(self, client: TestClient, clock: Any) -> None:
        self.client, self.clock = client, clock
        self.sandbox, self.authorization = client.app[SANDBOX], client.app[AUTHORIZATION]
        self.account = self.sandbox.accounts[0]

    async def anna(self, **about: str) -> Person:
        return await self.sandbox.create_user("Anna", **about)

    async def get(self, path: str, person: Person | None = None, **changes: str | None) -> ClientResponse:
        """Open an authorization page with these parameters changed or (None) left out."""
        inside = path == "oauth2/authorize"
        asked = {
            "appid": self.account.appid if inside else SITE.appid,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "snsapi_base" if inside else "snsapi_login",
            "state": "s1",
        } | changes
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        headers = {"User-Agent": user_agent(person)} if person else {}
        address = f"/connect/{path}?{query}"
        return await self.client.get(address, headers=headers, allow_redirects=False)

    async def login(self, **changes: str) -> str:
        """Open the page of a website's login; return the id of its consent."""
        assert (await self.get("qrconnect", **changes)).status == 200
        return self.authorization.open_consents()[0].id

    async def code(self, person: Person, **changes: str) -> str:
        """Return the code of a website's login that the person allows."""
        address = self.authorization.allow(person, await self.login(**changes)).address
        return answered(str(address))["code"]

    async def inside(self, person: Person, scope: str = "snsapi_base") -> str:
        """Return the code of a page inside WeChat, allowed if it asks."""
        response = await self.get("oauth2/authorize", person, scope=scope)
        if response.status == 302:
            return answered(response.headers["Location"])["code"]
        consent = self.authorization.open_consents(self.account.appid)[0]
        return answered(str(self.authorization.allow(person, consent).address))["code"]

    async def sns(self, call: str, **asked: str) -> dict[str, Any]:
        response = await self.client.get(f"/sns/{call}", params=asked)
        assert response.status == 200
        return dict(await response.json(content_type=None))

    async def exchange(self, code: str, app: App = SITE, /, **changes: str) -> dict[str, Any]:
        asked = {"appid": app.appid, "secret": app.secret, "code": code, "grant_type": "authorization_code"}
        return await self.sns("oauth2/access_token", **(asked | changes))

    async def post(self, name: str, *, status: int = 200, **body: object) -> Any:
        """Call the control API."""
        response = await self.client.post(f"/sandbox/api/{name}", json=body)
        assert response.status == status, await response.text()
        return await response.json()


def answered(address: str) -> dict[str, str]:
    """Return the parameters of an address that WeChat goes back to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
