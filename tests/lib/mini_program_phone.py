"""A phone that runs a mini program: it sends what examples/miniprogram sends, or what an attacker would."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse
from harness import MINI, Page, World

from sandbox.account import MiniProgram
from sandbox.people import Person

UNKNOWN = f"{'x' * 22}.{'x' * 32}"
"""A reply token that the service never made."""


def scene_of(world: World, page: Page) -> str:
    """Return the scene in a page's code."""
    return world.programs.opened(page.made["open_url"])["scene"]


@dataclass
class Phone:
    """One person's phone, in the mini program `mini` unless another is named."""

    world: World
    person: Person
    app: str = "mini"
    program: MiniProgram = MINI
    token: str = UNKNOWN

    async def post(self, name: str, **body: Any) -> ClientResponse:
        return await self.world.call("POST", f"/v1/miniprogram/{self.app}/{name}", json=body)

    def login(self) -> str:
        """Return a fresh code of `wx.login`."""
        return self.world.programs.login(self.person, self.program.appid)

    async def scans(self, page: Page, **changes: Any) -> ClientResponse:
        """Scan a page's code, with a fresh login; or with other fields."""
        fields = {"scene": scene_of(self.world, page), "js_code": self.login()}
        return await self.post("scans", **(fields | changes))

    async def scan(self, page: Page) -> dict[str, Any]:
        """Scan a page's code, and keep the reply token; return what the service tells."""
        told: dict[str, Any] = await (await self.scans(page)).json(content_type=None)
        self.token = told.get("reply_token", UNKNOWN)
        return told

    async def answers(self, answer: str) -> ClientResponse:
        return await self.post("answers", reply_token=self.token, answer=answer)

    async def answer(self, answer: str) -> dict[str, Any]:
        return dict(await (await self.answers(answer)).json(content_type=None))
