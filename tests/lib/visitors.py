"""A site and its visitors, who use a service by its address alone, so that it may be another process each time."""

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from harness import ACCOUNT, ORIGIN, basic
from serving import Service, listening

from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox
from sandbox.people import Person

Told = dict[str, Any]


@dataclass
class Visitors:
    """People with WeChat, the page they see, and the back end of its site."""

    http: ClientSession
    sandbox: Sandbox
    api: str
    """The address of WeChat."""
    url: str = ""
    people: dict[str, Person] = field(default_factory=dict)

    async def arrive(self, service: Service) -> None:
        """Wait until *service* is ready, and use it from now on."""
        await service.ready(self.http)
        self.turn_to(service)

    def turn_to(self, service: Service) -> None:
        self.url = service.url
        self.sandbox.point(f"{service.url}/wechat/main", account=ACCOUNT.appid)

    async def person(self, name: str) -> Person:
        if name not in self.people:
            self.people[name] = await self.sandbox.create_user(name, language="en")
            await self.sandbox.follow(self.people[name], account=ACCOUNT.appid)
        return self.people[name]

    async def call(self, method: str, path: str, **how: Any) -> tuple[int, Told]:
        async with self.http.request(method, self.url + path, allow_redirects=False, **how) as response:
            content = await response.read()
            return response.status, json.loads(content) if "json" in response.content_type else {}

    async def site(self, method: str, path: str, body: Any = None) -> tuple[int, Told]:
        return await self.call(method, path, json=body, headers=basic())

    async def page(self, **wanted: Any) -> Told:
        """Start a login as a page, or with `user_id` a bind as its site; return the ticket."""
        if "user_id" in wanted:
            status, made = await self.site("POST", "/v1/tickets", {"purpose": "bind", **wanted})
        else:
            body = {"purpose": "login", "client_id": "shop", **wanted}
            status, made = await self.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
        assert status == 201, made
        return made

    async def status(self, made: Told, method: str = "GET") -> tuple[int, Told]:
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        return await self.call(method, f"/v1/tickets/{made['ticket']}", headers=bearer)

    async def scanned(self, name: str, made: Told) -> Told:
        """Scan a ticket's code; return its status."""
        await self.sandbox.scan(await self.person(name), made["qr_url"])
        status, told = await self.status(made)
        assert status == 200, told
        return told

    async def code(self, name: str) -> str:
        """Return the login code of a new login."""
        told = await self.scanned(name, await self.page())
        assert told["status"] == "confirmed", told
        return str(told["code"])

    async def exchange(self, code: str) -> tuple[int, Told]:
        return await self.site("POST", "/v1/exchange", {"code": code})

    async def log_in(self, name: str) -> Told:
        """Return what the site is told of a login."""
        status, told = await self.exchange(await self.code(name))
        assert status == 200, told
        return told

    async def bind(self, name: str) -> None:
        """Bind a person to the user of the same name."""
        told = await self.scanned(name, await self.page(user_id=name))
        assert told["outcome"] == "bound", told


@asynccontextmanager
async def visitors() -> AsyncIterator[Visitors]:
    """Visitors and their WeChat."""
    wechat = make_app([ACCOUNT], public_url="http://weixin.qq.com")
    async with listening(wechat) as api, ClientSession() as http:
        yield Visitors(http, wechat[SANDBOX], api)


async def scanbind(folder: Path, *argv: str) -> str:
    """Run a command with the configuration in *folder*; return what it printed."""
    command = (sys.executable, "-m", "service", *argv, "--config", str(folder / "config.yaml"))
    process = await create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()
