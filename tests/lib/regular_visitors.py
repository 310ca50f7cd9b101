"""People who bind, log in and disconnect, again and again, at a service that is killed meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from harness import basic
from redelivery import Sender

from sandbox.emulator import Sandbox
from sandbox.people import Contact


@dataclass(slots=True)
class Regulars:
    """Each person has one user of the shop; `url` changes with each restart."""

    http: ClientSession
    sandbox: Sandbox
    seed: int
    url: str = ""
    ended: bool = False
    done: int = 0
    """How many changes and logins were answered."""
    sender: Sender = field(init=False)
    _sessions: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.sender = Sender(self.http, lambda: f"{self.url}/wechat/main")

    async def run(self, number: int) -> None:
        """Let one person come back until `ended`."""
        rng, user = Random(f"{self.seed} {number}"), f"user-{number}"
        contact = self.sandbox.contact(await self.sandbox.create_user(f"Person {number}", language="en"))
        while not self.ended:
            session = f"{next(self._sessions)}"
            await self._scan(contact, {"purpose": "bind", "user_id": user, "session": session}, rng)
            if rng.random() < 0.5:
                await self._log_in(contact, rng)
            await self.call("DELETE", f"/v1/bindings/{user}")
            self.done += 2

    async def _log_in(self, contact: Contact, rng: Random) -> None:
        ended = await self._scan(contact, {"purpose": "login"}, rng)
        await self.call("POST", "/v1/exchange", json={"code": ended["code"]})
        self.done += 1

    async def _scan(self, contact: Contact, body: dict[str, str], rng: Random) -> dict[str, Any]:
        """Make a ticket and scan it until it has ended; return its status."""
        made = await self.call("POST", "/v1/tickets", json=body)
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        while True:
            await self.sender.deliver(self.sender.scan(contact, self.sandbox.code(made["qr_url"])), rng)
            told = await self.call("GET", f"/v1/tickets/{made['ticket']}", headers=bearer)
            if told["status"] == "confirmed":
                return told

    async def call(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Call the service until it answers, as a site's back end does."""
        how = {"headers": basic("shop"), "timeout": ClientTimeout(10)} | how
        while True:
            with suppress(ClientError, TimeoutError, ConnectionError):
                async with self.http.request(method, self.url + path, **how) as response:
                    if response.status != 503:
                        return dict(await response.json()) if response.content_length else {}
            await asyncio.sleep(0.1)
