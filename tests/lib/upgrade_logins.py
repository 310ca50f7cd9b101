"""People who log in by scanning, with the identity that the upgraded service has not seen yet."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from harness import ACCOUNT, ORIGIN, SECOND, basic
from upgrade_people import PLATFORMS, Stored, Town

from sandbox.emulator import Sandbox
from sandbox.people import Person

THIRD: Final = replace(SECOND, appid="wx0000000000000003", token="thirdtoken", gh_id="gh_000000000003")
OFFICIAL: Final = {"main": ACCOUNT, "second": SECOND, "third": THIRD}
APPIDS: Final = {name: it.appid for name, it in OFFICIAL.items()}


@dataclass
class Logins:
    """Who logs in; each is bound in `main`, and every other one is stored in `second` as well, but not bound."""

    sandbox: Sandbox
    http: ClientSession
    town: Town
    url: str = ""
    done: int = 0
    _people: Mapping[str, Person] = field(default_factory=dict)

    async def move_in(self, count: int) -> list[Stored]:
        """Make the people, whom WeChat knows too; return what is stored of them before."""
        for name, appid in APPIDS.items():
            self.sandbox.bind_open_platform(PLATFORMS[name], account=appid)
        people = {f"scans-{n}": await self.sandbox.create_user(f"Scans {n}", language="en") for n in range(count)}
        self._people, stored = people, list[Stored]()
        for number, (user, person) in enumerate(people.items()):
            for account in ("main", "second")[: 2 - number % 2]:
                contact = self.sandbox.contact(person, account=APPIDS[account])
                contact.following = True
                users = {"shop": user} if account == "main" else {}
                stored.append(self.town.know(account, contact.openid, person.unionid("acme"), users))
        return stored

    def point(self, url: str) -> None:
        """Follow the service to its address after a start."""
        self.url = url
        for name, appid in APPIDS.items():
            self.sandbox.point(f"{url}/wechat/{name}", account=appid)

    async def run(self) -> None:
        """Let all log in with their second identity and then with their first, each until it has worked."""
        for account in ("second", "main"):
            for user, person in self._people.items():
                openid = self.sandbox.contact(person, account=APPIDS[account]).openid
                told = await self._log_in(person, account)
                assert (told["outcome"], told.get("user_id")) == ("login", user), f"{account}: {told}"
                self.town.know(account, openid, person.unionid("acme"), {"shop": user})
                self.done += 1

    async def _log_in(self, person: Person, account: str) -> dict[str, Any]:
        while True:
            # Killed, or not there yet: the page loads again, and the person scans the new code.
            with suppress(ClientError, TimeoutError, ConnectionError):
                if told := await self._try(person, account):
                    return told
            await asyncio.sleep(0.2)

    async def _try(self, person: Person, account: str) -> dict[str, Any] | None:
        body = {"purpose": "login", "client_id": "shop", "account": account}
        made = await self._call("POST", "/v1/tickets", 201, json=body, headers={"Origin": ORIGIN})
        scan = await self.sandbox.scan(person, made["qr_url"])
        if scan.outcome == "follow_first":
            await self.sandbox.follow(person, account=APPIDS[account])
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        status = await self._call("GET", f"/v1/tickets/{made['ticket']}", 200, headers=bearer)
        if status["status"] != "confirmed":
            return None
        return await self._call("POST", "/v1/exchange", 200, json={"code": status["code"]}, headers=basic())

    async def _call(self, method: str, path: str, expected: int, **how: Any) -> dict[str, Any]:
        async with self.http.request(method, self.url + path, timeout=ClientTimeout(10), **how) as response:
            if response.status == 503:
                raise ConnectionError
            assert response.status == expected, await response.text()
            told: dict[str, Any] = await response.json()
            return told
