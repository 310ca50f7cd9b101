"""Attacks on one-time codes and registrations: raced, swapped, replayed and used by another client."""

import asyncio
import json
import os
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, ServerDisconnectedError, TCPConnector
from harness import Page, World, basic, problem

from sandbox.people import Person

EXCHANGES = int(os.environ.get("EXCHANGES", "200"))
"""At once; `make prove-codes` sends 2,000."""

pytestmark = pytest.mark.timeout(120 if EXCHANGES <= 200 else 1800)


async def confirmed(world: World, person: Person) -> tuple[Page, str]:
    """Return a login that *person* confirmed, and its code."""
    page = await world.login()
    await world.scan(person, page)
    return page, str((await page.until("confirmed"))["code"])


async def at_both(world: World, other: World, path: str, bodies: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    """Post all *bodies* at once, to either service in turn, each on a connection of its own.

    A caller that gets 503 asks again (contract.md 3). So does one whose connection is closed: of thousands in one
    process, some send their first request later than 15 seconds after they connected (contract.md 3.1).
    """
    patient = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(), headers=basic())
    async with patient as http:

        async def post(url: str, body: Any) -> tuple[int, dict[str, Any]]:
            while True:
                with suppress(ServerDisconnectedError):
                    async with http.post(url + path, json=body) as response:
                        told = json.loads(await response.read())
                    if response.status != 503:
                        return response.status, told
                    await asyncio.sleep(int(response.headers["Retry-After"]))

        turns = [world.url, other.url] * len(bodies)
        return await asyncio.gather(*(post(url, body) for url, body in zip(turns, bodies, strict=False)))


async def test_many_exchanges_of_one_code_at_once_give_one_200(world: World, other: World) -> None:
    """Red when `Endings.use_code` does not ask that `code_used_at` is null."""
    world.clock.hold()  # the code lives for 60 seconds, and thousands of exchanges may take longer
    _, code = await confirmed(world, await world.bound("42"))
    answers = await at_both(world, other, "/v1/exchange", [{"code": code}] * EXCHANGES)
    assert Counter(status for status, _ in answers) == {200: 1, 400: EXCHANGES - 1}
    [told] = [told for status, told in answers if status == 200]
    assert (told["outcome"], told["user_id"]) == ("login", "42")
    assert {told["type"] for status, told in answers if status != 200} == {"/problems/invalid-code"}


async def test_a_used_code_is_refused_though_no_writer_gets_through(world: World) -> None:
    """Red when `CodeExchange.exchange` does not look at `code_used_at` before it writes."""
    _, code = await confirmed(world, await world.bound("42"))
    assert (await world.exchange(code)).status == 200
    path = world.settings.data_dir / "scanbind.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
        # In a thread: the service needs the event loop to end a transaction that may be open.
        await asyncio.to_thread(writer.execute, "BEGIN IMMEDIATE")
        await problem(await world.exchange(code), 400, "invalid-code")


async def test_a_registration_raced_for_by_many_users_binds_one(world: World, other: World) -> None:
    """Red when `TicketDecisions.register` does not read `registered_to`."""
    _, code = await confirmed(world, await world.person())
    registration = (await (await world.exchange(code)).json())["registration"]
    wanted = [{"user_id": str(number), "registration": registration} for number in range(60)]
    answers = await at_both(world, other, "/v1/bindings", wanted)
    assert sorted(status for status, _ in answers) == [201] + [400] * 59
    [bound] = [told["user_id"] for status, told in answers if status == 201]
    assert [number for number in range(60) if await world.bindings(str(number))] == [int(bound)]


async def test_the_halves_of_two_codes_make_no_third(world: World) -> None:
    """Red when `CodeExchange.exchange` does not compare the code with the one that is due."""
    anna, ben = await world.bound("42"), await world.bound("43")
    (_, one), (_, two) = await confirmed(world, anna), await confirmed(world, ben)
    for ticket, mac in ((one, two), (two, one)):
        mixed = f"{ticket.partition('.')[0]}.{mac.partition('.')[2]}"
        await problem(await world.exchange(mixed), 400, "invalid-code")
    told = [await (await world.exchange(code)).json() for code in (one, two)]
    assert [one["user_id"] for one in told] == ["42", "43"]


async def test_a_code_is_no_registration_and_a_registration_no_code(world: World) -> None:
    """Red when `ClientKeys.code` and `ClientKeys.registration` share a key and a moment."""
    _, code = await confirmed(world, await world.person())
    body = {"user_id": "42", "registration": code}
    await problem(await world.site("POST", "/v1/bindings", body), 400, "invalid-code")
    registration = (await (await world.exchange(code)).json())["registration"]
    await problem(await world.exchange(registration), 400, "invalid-code")
    await problem(await world.site("POST", "/v1/bindings", body), 400, "invalid-code")
    assert await world.bindings("42") == []
