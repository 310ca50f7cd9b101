"""Late pushes about a person who has unsubscribed or subscribed again since have no effect.

Covers: service.pushes.build, service.pushes.unfollow.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import Page, World, client

from sandbox.faults import Fault
from sandbox.people import Person
from service.identities.departures import Departures

Make = Callable[..., Any]


async def held_back(world: World, act: Any) -> Any:
    """Hold a push back until the person's next one has been delivered."""
    delivery = await act(fault=Fault.OUT_OF_ORDER, wait=False)
    return getattr(delivery, "delivery", delivery)


async def arrived(delivery: Any) -> None:
    async with asyncio.timeout(20):
        while not delivery.attempts:
            await asyncio.sleep(0.01)


async def test_a_late_unsubscribe_does_not_erase_who_came_back(world: World) -> None:
    """Red when `unfollowed` does not ask when they came."""
    person = await world.bound("42")
    left = await held_back(world, lambda **how: world.sandbox.unfollow(person, **how))
    world.clock.advance(3)
    await world.sandbox.follow(person)
    await arrived(left)
    assert len(await world.bindings("42")) == 1


async def test_a_late_scan_binds_no_person_who_unsubscribed(world: World) -> None:
    """Red when `recall` does not ask who has left."""
    page, person = await world.bind("42"), await world.person()
    scan = await held_back(world, lambda **how: world.sandbox.scan(person, page.made["qr_url"], **how))
    world.clock.advance(3)
    await world.sandbox.unfollow(person)
    await arrived(scan)
    assert scan.reply is None
    assert await world.bindings("42") == []


async def asked(make: Make) -> tuple[World, Page, Person, str]:
    world: World = await make(clients={"shop": client("shop", confirm="match")})
    page, person = await world.bind("42"), await world.person()
    await world.scan(person, page)
    return world, page, person, (await page.poll())["match"]


async def test_a_late_answer_binds_no_person_who_unsubscribed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `TicketDecisions.confirm` makes a person anew who is not here."""

    async def lost(*_: object) -> None:
        """Redis did not take the mark that they left."""

    monkeypatch.setattr(Departures, "left", lost)
    world, page, person, number = await asked(make)
    answer = await held_back(world, lambda **how: world.sandbox.say(person, number, **how))
    world.clock.advance(3)
    await world.sandbox.unfollow(person)
    await arrived(answer)
    assert await world.bindings("42") == []
    assert (await page.poll())["status"] == "pending"


@pytest.mark.parametrize("status", ["confirmed", "rejected", "cancelled", "expired"])
async def test_an_ending_wins_over_any_state_that_redis_comes_back_with(world: World, status: str) -> None:
    page = await world.login()
    stale = {"id": page.id, "version": 2**52, "status": status}
    await world.redis.set(f"scanbind:t:{page.id}", json.dumps(stale), px=60_000)
    person = await world.person()
    assert (await page.raw("DELETE")).status == 204
    assert (await page.until("cancelled"))["reason"] is None
    assert "no longer valid" in (await world.scan(person, page) or "")
