"""Two concurrent actions on one ticket: one wins, and all callers get the same result (docs/adr/0002)."""

import asyncio
from typing import Any

import pytest
from harness import Page, World, client

from sandbox.chat import pieces
from sandbox.people import Person

ROUNDS = 12


@pytest.fixture
async def world(make: Any) -> World:
    """A shop that asks for a tap and a club that asks nothing, with room for many rounds."""
    clients = {"shop": client("shop", confirm="tap"), "club": client("club")}
    limits = {"tickets_per_address": 0, "tickets_per_client": 0}
    started: World = await make(clients=clients, limits=limits)
    return started


def links(reply: str | None) -> list[str]:
    return [piece.says for piece in pieces(reply or "") if piece.says]


async def asked(world: World, person: Person) -> tuple[Page, str, str]:
    """Scan a login; return it with what says yes and what says not me."""
    page = await world.login()
    yes, not_me = links(await world.scan(person, page))
    return page, yes, not_me


async def cancelled(other: World, page: Page, number: int) -> int:
    """Cancel at the other service, a little later each round; return the status."""
    await asyncio.sleep(number * 0.001)
    return (await Page(other, page.made, 200).raw("DELETE")).status


async def seen(world: World, other: World, page: Page) -> dict[str, Any]:
    """Return how the ticket stands, once both services tell the same and it has ended."""
    async with asyncio.timeout(20):
        while True:
            here, there = [await Page(one, page.made, 200).poll() for one in (world, other)]
            if here | {"expires_in": 0} == there | {"expires_in": 0} and here["status"] not in (
                "pending",
                "scanned",
            ):
                return here
            await asyncio.sleep(0.01)


async def test_a_yes_and_a_cancel_at_once_leave_one_ending(world: World, other: World) -> None:
    """Red when `endings.insert` replaces the row that stands."""
    person = await world.bound("42", client="club")
    for number in range(ROUNDS):
        page, yes, _ = await asked(world, person)
        reply, status = await asyncio.gather(world.say(person, yes), cancelled(other, page, number))
        told = await seen(world, other, page)
        if status == 204:
            assert (told["status"], told["code"]) == ("cancelled", None)
            assert "no longer valid" in (reply or "")
        else:
            assert (status, told["status"]) == (409, "confirmed")
            assert (await other.exchange(told["code"])).status == 200
            assert "Thank you" in (reply or "")


async def test_a_scan_that_binds_and_a_cancel_at_once_leave_one_ending(world: World, other: World) -> None:
    """Red when the binding and its ending are not one transaction."""
    for number in range(ROUNDS):
        person, page = await world.person(), await world.bind(str(number), client="club")
        _, status = await asyncio.gather(world.scan(person, page), cancelled(other, page, number))
        told = await seen(world, other, page)
        bound = await other.bindings(str(number), client="club")
        assert (status, told["status"], len(bound)) in ((204, "cancelled", 0), (409, "confirmed", 1))


@pytest.mark.parametrize("name", ["shop", "club"])
async def test_of_two_phones_at_once_one_owns_the_ticket(world: World, other: World, name: str) -> None:
    """Red when `advance` lets a later scanner own it (shop), when `endings.insert` replaces a row (club)."""
    people = [await world.person(), await world.person()]
    for _ in range(ROUNDS):
        page = await world.login(client=name)
        replies = await asyncio.gather(*(world.scan(person, page) for person in people))
        refused = ["Another person" in (reply or "") for reply in replies]
        assert sorted(refused) == [False, True]
        owner = people[refused.index(False)]
        for yes in links(replies[refused.index(False)])[:1]:
            await asyncio.gather(*(world.say(person, yes) for person in people))
        code = (await seen(world, other, page))["code"]
        told = await (await other.exchange(code, client=name)).json()
        assert told["openid"] == world.sandbox.contact(owner).openid


async def test_a_yes_and_a_not_me_at_once_are_one_answer(world: World, other: World) -> None:
    """Red when `endings.insert` replaces the row that stands."""
    person = await world.person()
    for _ in range(ROUNDS):
        page, *answers = await asked(world, person)
        replies = await asyncio.gather(*(world.say(person, answer) for answer in answers))
        told = await seen(world, other, page)
        said = {"confirmed": "Thank you", "rejected": "Declined"}[told["status"]]
        assert [said in reply for reply in replies if reply] == [True] * len([reply for reply in replies if reply])
        assert any(replies)
