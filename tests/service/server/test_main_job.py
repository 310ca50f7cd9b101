"""The whole service on each database: bind, log in, register, disconnect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import World

from service.storage.database import Database


@pytest.mark.parametrize("keys", [[], ["k" * 32]], ids=["clear", "sealed"])
async def test_bind_log_in_register_and_disconnect(
    database: Database, url: str, make: Callable[..., Any], dump: Callable[[], Awaitable[str]], keys: list[str]
) -> None:
    world: World = await make(database_url=url, encryption={"keys": keys})
    assert (await world.call("GET", "/readyz")).status == 200
    person = await world.bound("ünï 42 😀")

    login = await world.login(state="xyz")
    assert "logged in" in (await world.scan(person, login) or "")
    told = await (await world.exchange((await login.poll())["code"])).json()
    assert (told["user_id"], told["state"]) == ("ünï 42 😀", "xyz")
    assert (await world.site("DELETE", "/v1/bindings/ünï 42 😀")).status == 204

    login = await world.login()
    await world.scan(person, login)
    code = (await login.poll())["code"]
    answers = await asyncio.gather(*(world.exchange(code) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]
    told = await next(answer for answer in answers if answer.status == 200).json()
    body = {"user_id": "43", "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body)).status == 201
    assert (told["openid"] in await dump()) is not bool(keys)
    await world.sandbox.unfollow(person)
    assert await world.bindings("43") == []


async def test_cancelling_and_confirming_at_once_ends_a_ticket_once(
    database: Database, url: str, make: Callable[..., Any]
) -> None:
    world: World = await make(database_url=url)
    person = await world.person()
    for number in range(8):
        page = await world.bind(str(number))
        cancelled, _ = await asyncio.gather(page.raw("DELETE"), world.scan(person, page))
        state, bound = await page.poll(), bool(await world.bindings(str(number)))
        assert cancelled.status in (204, 409)
        assert (state["status"] == "cancelled") is (cancelled.status == 204)
        assert bound is (state["outcome"] == "bound")
        await world.site("DELETE", f"/v1/bindings/{number}")
