"""Two mini programs, and a client of their sandbox that plays back ends and phones."""

import json
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from sandbox.account import MiniProgram
from sandbox.app import MINI_PROGRAMS, SANDBOX

MINI = MiniProgram(
    appid="wxmini", secret="c" * 32, open_platform="acme", api="http://127.0.0.1:1/v1/miniprogram/mini"
)
OTHER = replace(MINI, appid="wxothermini", secret="d" * 32, open_platform=None)
FORM = {"scene": "s1", "page": "pages/scan/index"}


@dataclass
class Programs:
    """The sandbox as a mini program's back end and a phone see it."""

    client: TestClient
    clock: Any

    def __post_init__(self) -> None:
        self.sandbox, self.programs = self.client.app[SANDBOX], self.client.app[MINI_PROGRAMS]

    async def token(self, program: MiniProgram = MINI) -> str:
        asked = {"grant_type": "client_credential", "appid": program.appid, "secret": program.secret}
        response = await self.client.post("/cgi-bin/stable_token", json=asked)
        return str((await response.json())["access_token"])

    async def make(self, token: str | None = None, /, **asked: object) -> ClientResponse:
        """Call getwxacodeunlimit with a good request and these changes."""
        query = {"access_token": await self.token() if token is None else token}
        return await self.client.post("/wxa/getwxacodeunlimit", params=query, json=FORM | asked)

    async def session(self, code: str, program: MiniProgram = MINI, /, **changes: str) -> dict[str, Any]:
        asked = {
            "appid": program.appid,
            "secret": program.secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        response = await self.client.get("/sns/jscode2session", params=asked | changes)
        assert response.status == 200
        return dict(json.loads(await response.text()))

    async def post(self, name: str, *, status: int = 200, **body: object) -> Any:
        """Call the control API."""
        response = await self.client.post(f"/sandbox/api/{name}", json=body)
        assert response.status == status, await response.text()
        return await response.json()
