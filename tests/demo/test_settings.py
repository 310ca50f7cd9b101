import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from demo.scanbind import Scanbind
from demo.words import PAGES


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_settings_are_for_who_is_signed_in(shop: TestClient, method: str) -> None:
    path = "/settings" if method == "GET" else "/settings/disconnect"
    answer = await shop.request(
        method, path, data={"account": "main"} if method == "POST" else None, allow_redirects=False
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_connecting_is_for_who_is_signed_in(shop: TestClient) -> None:
    answer = await shop.post("/settings/wechat", json={"refresh": False})
    assert answer.status == 401


async def test_settings_say_that_scanbind_is_away(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await enter("anna", "anna")
    answer = await shop.get("/settings")
    assert answer.status == 502
    assert PAGES["en"]["unreachable"] in await answer.text()


async def test_connecting_says_that_scanbind_is_away(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await enter("anna", "anna")
    answer = await shop.post("/settings/wechat", json={"refresh": True})
    assert answer.status == 502


async def test_disconnecting_says_that_scanbind_is_away(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]]
) -> None:
    await enter("anna", "anna")
    answer = await shop.post("/settings/disconnect", data={"account": "main"}, allow_redirects=False)
    assert answer.headers["Location"] == "/settings"
    assert PAGES["en"]["unreachable"] in await (await shop.get("/")).text()


async def test_scanbind_is_told_who_asks_but_not_their_cookie(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    async def note(_client: Scanbind, purpose: str, **fields: Any) -> dict[str, Any]:
        told.update(fields, purpose=purpose)
        return {}

    monkeypatch.setattr(Scanbind, "create_ticket", note)
    await enter("anna", "anna")
    await shop.post("/settings/wechat", json={"refresh": True}, headers={"User-Agent": "Browser/1"})
    cookie = next(one.value for one in shop.session.cookie_jar)
    assert (told["purpose"], told["user_id"], told["account_name"], told["refresh"]) == (
        "bind",
        "anna",
        "anna",
        True,
    )
    assert told["visitor"] == {"ip": "127.0.0.1", "user_agent": "Browser/1"}
    assert told["session"]
    assert cookie not in repr(told)


async def test_browser_name_that_is_no_text_is_passed_on_as_text(
    shop: TestClient, enter: Callable[[str, str], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    async def note(_client: Scanbind, _purpose: str, **fields: Any) -> dict[str, Any]:
        told.update(fields)
        return {}

    monkeypatch.setattr(Scanbind, "create_ticket", note)
    await enter("anna", "anna")
    cookie = next(one.value for one in shop.session.cookie_jar)
    reader, writer = await asyncio.open_connection(shop.host, shop.port)
    writer.write(
        b"POST /settings/wechat HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nUser-Agent: caf\xff\r\n"
        b"Cookie: shop_session=" + cookie.encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 201 ")
    writer.close()
    await writer.wait_closed()
    assert told["visitor"]["user_agent"] == "caf?"
