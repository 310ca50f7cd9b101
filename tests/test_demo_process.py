"""The demo as a real process, over HTTP alone: bind, log in, register, disconnect."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from process import Demo, demo


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as one:
        yield one


class Visitor:
    """A browser at the shop, and the phone in its owner's hand."""

    def __init__(self, where: Demo, http: ClientSession) -> None:
        self.where = where
        self.http = http

    async def phone(self, act: str, **body: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.where.phone}/sandbox/api/{act}", json=body) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def shop(self, path: str, form: dict[str, str] | None = None) -> str:
        method = "GET" if form is None else "POST"
        async with self.http.request(method, self.where.shop + path, data=form) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def follow(self, ticket: dict[str, Any], status: str) -> dict[str, Any]:
        """Follow a ticket as a page does, until it has *status*."""
        url, tag = f"{self.where.service}/v1/tickets/{ticket['ticket']}", '""'
        async with asyncio.timeout(20):
            while True:
                headers = {
                    "Authorization": f"Bearer {ticket['secret']}",
                    "If-None-Match": tag,
                    "Prefer": "wait=5",
                    "Origin": self.where.shop,
                }
                async with self.http.get(url, headers=headers) as response:
                    tag = response.headers["ETag"]
                    assert response.headers["Access-Control-Allow-Origin"] == self.where.shop
                    if response.status == 200 and (state := await response.json())["status"] == status:
                        return dict(state)

    async def answer(self, user: str, ticket: dict[str, Any]) -> dict[str, Any]:
        """Scan a ticket's code, follow if need be, and type the number that its page shows."""
        scan = await self.phone("scan", user=user, code=ticket["qr_url"])
        if scan["outcome"] == "follow_first":
            await self.phone("follow", user=user)
        number = (await self.follow(ticket, "scanned"))["match"]
        await self.phone("say", user=user, text=number)
        return await self.follow(ticket, "confirmed")

    async def login_ticket(self) -> dict[str, Any]:
        page = await self.shop("/login")
        state = re.search(r'data-state="([^"]+)"', page)
        assert state
        body = {"purpose": "login", "client_id": "shop", "state": state[1]}
        headers = {"Origin": self.where.shop}
        async with self.http.post(f"{self.where.service}/v1/tickets", json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return dict(await response.json())

    async def hand_in(self, code: str) -> str:
        async with self.http.post(f"{self.where.shop}/login/wechat", json={"code": code}) as response:
            assert response.status == 200, await response.text()
            return str((await response.json())["next"])


async def test_bind_log_in_register_and_disconnect(running: Demo) -> None:
    # the shop is reached by address, so its cookie needs a jar that keeps those
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        visitor = Visitor(running, http)
        lin = (await visitor.phone("users", nickname="小林"))["id"]

        await visitor.shop("/login", {"name": "anna", "password": "anna"})
        async with http.post(f"{running.shop}/settings/wechat", json={"refresh": False}) as response:
            ticket = await response.json()
        assert (await visitor.answer(lin, ticket))["outcome"] == "bound"
        assert 'data-testid="binding"' in await visitor.shop("/settings")
        await visitor.shop("/logout", {})

        state = await visitor.answer(lin, await visitor.login_ticket())
        assert state["outcome"] == "login"
        assert await visitor.hand_in(state["code"]) == "/"
        assert "anna" in await visitor.shop("/")

        await visitor.shop("/settings/disconnect", {"account": "main"})
        assert 'data-testid="binding"' not in await visitor.shop("/settings")
        await visitor.shop("/logout", {})

        state = await visitor.answer(lin, await visitor.login_ticket())
        assert state["outcome"] == "register"
        assert await visitor.hand_in(state["code"]) == "/signup"
        await visitor.shop("/signup", {"name": "lin", "password": "correct horse"})
        assert 'data-testid="binding"' in await visitor.shop("/settings")
