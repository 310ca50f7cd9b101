"""Logins at the sites of the first pages, over HTTP, by a person with a browser and an emulated phone."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import ClientResponse, ClientSession, CookieJar
from desk import Desk
from wechat_browser import CONSENT


class Login(Protocol):
    """A way to log in."""

    async def __call__(self, desk: Desk, browser: ClientSession, user: str) -> str:
        """Log a user of the phone in; return the user id that the site greets."""


async def greeted(page: ClientResponse) -> str:
    text = await page.text()
    found = re.search(r"user-[0-9a-f]{16}", text)
    assert page.status == 200
    assert found, text
    return found[0]


@asynccontextmanager
async def new_browser() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:  # unsafe: hosts are addresses
        yield http


class AtTheElement(ABC):
    """`site.py`: the browser shows a ticket, the phone answers, and the form brings the code."""

    async def __call__(self, desk: Desk, browser: ClientSession, user: str) -> str:
        async with browser.get(f"{desk.site}/") as page:
            [state] = re.findall(r' state="([^"]+)"', await page.text())
        body = {"purpose": "login", "client_id": "shop", "state": state}
        async with browser.post(f"{desk.service}/v1/tickets", json=body, headers={"Origin": desk.site}) as created:
            ticket = await created.json()
            assert created.status == 201, ticket
        await self.identify(desk, user, ticket)
        await self.answer(desk, user, (await self._shown(desk, browser, ticket))["match"])
        code = (await self._shown(desk, browser, ticket))["code"]
        async with browser.post(f"{desk.site}/login", data={"code": code}) as page:
            return await greeted(page)

    async def _shown(self, desk: Desk, browser: ClientSession, ticket: dict[str, Any]) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {ticket['secret']}"}
        async with browser.get(f"{desk.service}/v1/tickets/{ticket['ticket']}", headers=bearer) as page:
            return dict(await page.json())

    @abstractmethod
    async def identify(self, desk: Desk, user: str, ticket: dict[str, Any]) -> None:
        """Use what the page shows."""

    async def answer(self, desk: Desk, user: str, match: str) -> None:
        await desk.phone("say", user=user, text=match)


class ByScan(AtTheElement):
    async def identify(self, desk: Desk, user: str, ticket: dict[str, Any]) -> None:
        await desk.scan(user, ticket["qr_url"])


class ByPasscode(AtTheElement):
    async def identify(self, desk: Desk, user: str, ticket: dict[str, Any]) -> None:
        async with desk.http.get(f"{desk.wechat}/sandbox/api/phone", params={"user": user}) as contact:
            following = (await contact.json())["following"]
        if not following:
            await desk.phone("follow", user=user, by_search=True)
        await desk.phone("say", user=user, text=ticket["passcode"])


@dataclass
class ByMiniProgram(AtTheElement):
    """Sends what the page of examples/miniprogram sends."""

    token: str = ""

    async def identify(self, desk: Desk, user: str, ticket: dict[str, Any]) -> None:
        opened = await desk.phone("open_mini_program", code=ticket["open_url"])
        login = await desk.phone("mini_program_login", user=user, program=opened["appid"])
        asked = {"scene": opened["scene"], "js_code": login["code"]}
        self.token = (await self._send(desk, "scans", asked))["reply_token"]

    async def answer(self, desk: Desk, user: str, match: str) -> None:
        await self._send(desk, "answers", {"reply_token": self.token, "answer": match})

    async def _send(self, desk: Desk, call: str, body: dict[str, str]) -> dict[str, Any]:
        async with desk.http.post(f"{desk.service}/v1/miniprogram/mini/{call}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())


class ByRedirect:
    """`redirects.py`: the browser goes to WeChat's page, the person allows, and it comes back."""

    async def __call__(self, desk: Desk, browser: ClientSession, user: str) -> str:
        async with browser.post(f"{desk.site}/start") as page:
            text = await page.text()
            assert urlsplit(str(page.url)).netloc == urlsplit(desk.wechat).netloc, text
        [consent] = CONSENT.findall(text)
        allowed = await desk.phone("allow", user=user, consent=consent)
        async with browser.get(allowed["address"]) as page:
            return await greeted(page)


class ByWeCom(ByRedirect):
    async def __call__(self, desk: Desk, browser: ClientSession, user: str) -> str:
        await desk.phone("enroll", user=user)
        return await super().__call__(desk, browser, user)
