"""The demo as a process, over HTTP alone: bind, log in, register, disconnect."""

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
        async with asyncio.timeout(60):
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
        state = re.search(r'<scanbind-qr [^>]*state="([^"]+)"', await self.shop("/login"))
        assert state
        body = {"purpose": "login", "client_id": "shop", "state": state[1]}
        headers = {"Origin": self.where.shop}
        async with self.http.post(f"{self.where.service}/v1/tickets", json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return dict(await response.json())

    async def hand_in(self, code: str) -> str:
        """Give the shop the code as its page does; return the page that follows."""
        return await self.shop("/login/wechat", {"code": code})

    async def open_portal(self) -> str:
        """Go to the portal by the shop's button; return the address of the session's data."""
        headers = {"Referer": f"{self.where.shop}/"}  # browsers keep it on the redirect to the portal
        async with self.http.post(f"{self.where.shop}/settings/wechat", headers=headers) as response:
            assert response.status == 200, await response.text()
            return f"{self.where.service}/v1/portal-sessions/{response.url.name}"

    async def at_portal(self, method: str, url: str) -> Any:
        headers = {"Sec-Fetch-Site": "same-origin"}
        body = None if method == "DELETE" else {}
        async with self.http.request(method, url, json=body, headers=headers) as response:
            assert response.status in (201, 204), await response.text()
            return await response.json() if response.status == 201 else None


async def test_bind_log_in_register_and_disconnect(running: Demo) -> None:
    # the shop is reached by address, so its cookie needs a jar that keeps those
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        visitor = Visitor(running, http)
        lin = (await visitor.phone("users", nickname="小林"))["id"]

        await visitor.shop("/login", {"name": "anna", "password": "anna"})
        portal = await visitor.open_portal()
        ticket = await visitor.at_portal("POST", f"{portal}/tickets")
        assert (await visitor.answer(lin, ticket))["outcome"] == "bound"
        assert 'data-testid="binding"' in await visitor.shop("/settings")
        await visitor.shop("/logout", {})

        state = await visitor.answer(lin, await visitor.login_ticket())
        assert state["outcome"] == "login"
        assert 'data-testid="whoami">anna<' in await visitor.hand_in(state["code"])

        portal = await visitor.open_portal()
        await visitor.at_portal("DELETE", f"{portal}/bindings/main")
        assert 'data-testid="binding"' not in await visitor.shop("/settings")
        await visitor.shop("/logout", {})

        state = await visitor.answer(lin, await visitor.login_ticket())
        assert state["outcome"] == "register"
        assert 'data-testid="wechat-waiting"' in await visitor.hand_in(state["code"])
        assert 'data-testid="binding"' in await visitor.shop(
            "/signup", {"name": "lin", "password": "correct horse", "join": "on"}
        )
