"""While Redis is unreachable, SQL alone goes on, the rest is refused, and nothing is lost or done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from chatting import typed
from harness import ORIGIN, World, client, problem
from harness import world as make_world
from streams import block, event, stream

from service import app_keys
from service.storage.embedded_valkey import valkey


@dataclass
class Own:
    """A world with a Valkey of its own, which can be taken away and given back."""

    world: World
    folder: Path
    stack: AsyncExitStack

    async def lose(self) -> None:
        """Stop Valkey, and wait until the service has noticed: until then it tells what it remembers."""
        await self.stack.aclose()
        async with asyncio.timeout(10):
            while self.world.app[app_keys.FEED].connected.is_set():
                await asyncio.sleep(0.01)

    async def return_(self) -> None:
        await self.stack.enter_async_context(valkey(self.folder))


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Own]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(valkey(tmp_path))
        asks = {"shop": client("shop"), "club": client("club", confirm="tap")}
        async with make_world(url, tmp_path, clients=asks) as world:
            yield Own(world, tmp_path, stack)


async def unavailable(response: ClientResponse) -> dict[str, Any]:
    told = await problem(response, 503, "store-unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    return told


async def test_a_code_is_exchanged_exactly_once_and_the_page_learns_it_later(own: Own) -> None:
    world = own.world
    page = await world.login(state="s")
    await world.scan(await world.bound("42"), page)
    code = (await page.until("confirmed"))["code"]
    await own.lose()
    response = await world.exchange(code)
    assert response.status == 200
    assert (await response.json())["state"] == "s"
    await problem(await world.exchange(code), 400, "invalid-code")
    await own.return_()
    assert (await page.until("confirmed"))["outcome"] == "login"
    await problem(await world.exchange(code), 400, "invalid-code")


async def test_a_registration_is_handed_over_and_a_user_disconnected(own: Own) -> None:
    world = own.world
    page = await world.login()
    await world.scan(await world.person(), page)
    code = (await page.until("confirmed"))["code"]
    await own.lose()
    told = await (await world.exchange(code)).json()
    body = {"user_id": "77", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    assert len(await world.bindings("77")) == 1
    assert (await world.site("DELETE", "/v1/bindings/77")).status == 204
    assert await world.bindings("77") == []


async def test_who_follows_a_ticket_is_told_to_come_back(own: Own) -> None:
    world = own.world
    page = await world.login()
    await own.lose()
    for suffix in ("", "/events"):
        told = await unavailable(await page.raw(suffix=suffix, Origin=ORIGIN))
        assert str(own.folder) not in told["detail"]
    response = await page.raw(Origin=ORIGIN, If_None_Match='"x"', Prefer="wait=30")
    assert (await unavailable(response))["instance"]
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    await own.return_()
    assert (await page.until("pending"))["ticket"] == page.id


async def test_a_stream_goes_on_and_shows_what_happens_after_redis_has_come_back(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a read that fails ends the stream."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", 0.05)
    monkeypatch.setattr("handlers.tickets.stream._AGAIN", 0.05)
    world = own.world
    page, person = await world.login(), await world.person()
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await own.lose()
        assert [await block(response) for _ in range(5)] == [":\n"] * 5
        await own.return_()
        await world.scan(person, page)
        assert (await event(response))["data"]["status"] == "confirmed"
        assert await block(response) == ""


async def test_no_page_starts_a_login_that_cannot_be_counted(own: Own) -> None:
    await own.lose()
    body = {"purpose": "login", "client_id": "shop"}
    response = await own.world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
    await unavailable(response)
    for backend in ({"purpose": "login"}, {"purpose": "bind", "user_id": "42"}):
        answer = await own.world.site("POST", "/v1/tickets", backend)
        assert answer.status in (502, 503)
        assert answer.content_type == "application/problem+json"


async def test_a_cancelled_ticket_stays_cancelled_though_redis_missed_it(own: Own) -> None:
    world = own.world
    page, person = await world.bind("42"), await world.person()
    await own.lose()
    assert (await page.raw("DELETE")).status == 204
    await problem(await page.raw("DELETE"), 409, "ticket-finished")
    await own.return_()
    assert "no longer valid" in (await world.scan(person, page) or "")
    assert (await page.until("cancelled"))["outcome"] is None
    assert await world.bindings("42") == []


async def test_a_scan_that_cannot_be_kept_is_not_acknowledged_and_works_when_sent_again(own: Own) -> None:
    world = own.world
    page, person = await world.login(client="club"), await world.person()
    await own.lose()
    delivery = (await world.sandbox.scan(person, page.made["qr_url"])).delivery
    assert delivery is not None
    assert {one.status for one in delivery.attempts} == {503}
    await own.return_()
    assert "Is that you?" in (await world.scan(person, page) or "")
    assert (await page.until("scanned"))["match"] is None


async def test_a_near_answer_is_left_alone(own: Own) -> None:
    """Red when `AnswerHints.hint` does not catch StoreUnavailable: a message that changes nothing would be 503."""
    page, person = await own.world.login(client="club"), await own.world.person()
    await own.world.scan(person, page)
    await own.lose()
    assert await typed(own.world, person, "147") is None
    await own.return_()
    assert "Not me" in (await typed(own.world, person, "147") or "")
