"""A sandbox with two enterprises in WeCom, and a client of it that plays browsers and applications."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientResponse
from authorizing import WeChat

from sandbox.account import WeComApp
from sandbox.authorization.inside import user_agent
from sandbox.people import Person

CORP = WeComApp(
    corpid="ww00112233445566cc", agentid=1000002, secret="c" * 43, domain="login.test", name="Acme <1>"
)
SECOND_APP = WeComApp(corpid=CORP.corpid, agentid=1000003, secret="d" * 43, domain="login.test")
OTHER_CORP = WeComApp(corpid="ww00112233445566ee", agentid=1000002, secret="e" * 43, domain="login.test")


class WeCom(WeChat):
    """The sandbox as browsers and applications in WeCom see it."""

    async def open(self, person: Person | None = None, /, **changes: str | None) -> ClientResponse:
        """Open the page of a login, or (with a person) the silent one in WeCom's browser."""
        asked = {"appid": CORP.corpid, "redirect_uri": "https://login.test/oauth/corp"}
        if person:
            asked |= {"response_type": "code", "scope": "snsapi_base", "state": "s1", "agentid": str(CORP.agentid)}
        else:
            asked |= {"login_type": "CorpApp", "agentid": str(CORP.agentid), "state": "s1"}
        asked = {name: value for name, value in (asked | changes).items() if value is not None}
        path = "/connect/oauth2/authorize" if person else "/wwlogin/sso/login"
        headers = {"User-Agent": user_agent(person, wecom=True)} if person else {}
        return await self.client.get(f"{path}?{urlencode(asked)}", headers=headers, allow_redirects=False)

    async def called(self, call: str, **asked: str) -> dict[str, Any]:
        response = await self.client.get(f"/cgi-bin/{call}", params=asked)
        assert response.status == 200
        return dict(await response.json(content_type=None))

    async def token(self, app: WeComApp = CORP, **changes: str) -> dict[str, Any]:
        return await self.called("gettoken", **({"corpid": app.corpid, "corpsecret": app.secret} | changes))

    async def named(self, code: str, app: WeComApp = CORP, **changes: str) -> dict[str, Any]:
        """Exchange a code for the person, as the application."""
        token = str((await self.token(app))["access_token"])
        return await self.called("auth/getuserinfo", **({"access_token": token, "code": code} | changes))
