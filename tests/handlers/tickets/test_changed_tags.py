"""Long polls whose ETag was changed, lost or replaced on the way are no loop of requests.

Red when `known_tags` compares to the letter, and when `WaitLimiter.repeats` is always false.
"""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import Page, World, problem

from service.rate_limiting import open_waits

WAITS = {"Prefer": "wait=30"}
TOO_SOON = 0.25
"""Seconds within which nothing that waits may have come back."""
LOST: list[dict[str, str]] = [{}, {"If_None_Match": '""'}, {"If_None_Match": '"of the proxy"'}]
"""What is left of a tag that a proxy removed from answers or requests, or replaced."""


async def tag(page: Page) -> str:
    return (await page.raw()).headers["ETag"].strip('"')


@pytest.mark.parametrize(
    "sent", ['W/"{}"', '"{}-gzip"', 'W/"{}--gzip"', '"{};gzip"', '"{}:br"', '"x", "{}-zstd"', "*"]
)
async def test_a_changed_tag_holds_the_request_until_the_state_changes(world: World, sent: str) -> None:
    page = await world.login()
    known = sent.format(await tag(page))
    assert (await page.raw(If_None_Match=known)).status == 304
    assert (await page.raw(If_None_Match=known, Prefer="wait=1")).status == 304
    held = asyncio.create_task(page.raw(If_None_Match=known, **WAITS))
    await asyncio.wait([held], timeout=TOO_SOON)
    assert not held.done()
    await world.scan(await world.person(), page)
    response = await asyncio.wait_for(held, 20)
    assert (response.status, (await response.json())["status"]) == (200, "confirmed")


@pytest.mark.parametrize("sent", ['"{}-gzip"', 'W/"{}"'])
async def test_a_changed_tag_of_an_earlier_state_is_answered_at_once(world: World, sent: str) -> None:
    page = await world.login()
    earlier = sent.format(await tag(page))
    await world.scan(await world.person(), page)
    response = await page.raw(If_None_Match=earlier, **WAITS)
    assert (response.status, (await response.json())["status"]) == (200, "confirmed")


async def test_an_asterisk_matches_no_final_state(world: World) -> None:
    """Red when `*` stands for a final state: its caller would be told 304 again and again."""
    page = await world.login()
    assert (await page.raw("DELETE")).status == 204
    for prefer in ({}, WAITS):
        response = await page.raw(If_None_Match="*", **prefer)
        assert (response.status, (await response.json())["status"]) == (200, "cancelled")


@pytest.mark.parametrize("lost", LOST)
async def test_a_loop_without_a_tag_is_slowed_down_to_the_pace_of_a_poll(
    world: World, lost: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.tickets.status.POLL_AFTER", 1)
    page = await world.login()
    for _ in range(8):
        assert (await page.raw(**lost, **WAITS)).status == 200
    began = time.monotonic()
    response = await page.raw(**lost, **WAITS)
    assert 0.9 < time.monotonic() - began < 20
    assert (response.status, (await response.json())["status"]) == (200, "pending")


async def looping(page: Page) -> "asyncio.Task[ClientResponse]":
    """Ask without a tag until a request is held, and return it."""
    for _ in range(8):
        await page.raw(**WAITS)
    held = asyncio.create_task(page.raw(**WAITS))
    await asyncio.wait([held], timeout=TOO_SOON)
    assert not held.done()
    return held


async def test_a_slowed_loop_gets_a_change_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.tickets.status.POLL_AFTER", 30)
    page, other = await world.login(), await world.login()
    held = await looping(page)
    assert (await page.raw()).status == 200, "a poll that does not ask to wait is no loop"
    assert (await other.raw(**WAITS)).status == 200, "nor is another ticket's"
    await world.scan(await world.person(), page)
    assert (await (await asyncio.wait_for(held, 20)).json())["status"] == "confirmed"
    for _ in range(20):
        assert (await page.raw(**WAITS)).status == 200, "a final state is always sent at once"


async def test_a_loop_has_no_more_places_to_wait_than_others(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when a request of a loop is held outside of the limits."""
    monkeypatch.setattr("handlers.tickets.status.POLL_AFTER", 30)
    world: World = await make(limits={"waiting": 1})
    page = await world.login()
    held = await looping(page)
    await problem(await page.raw(**WAITS), 429, "rate-limited")
    await page.raw("DELETE")
    assert (await asyncio.wait_for(held, 20)).status == 200


async def test_a_full_count_of_repeats_forgets_the_oldest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when nothing bounds the count: each ticket would stay in memory."""
    monkeypatch.setattr(open_waits, "_MOST_REPEATED", 2)
    for page in [await world.login() for _ in range(4)]:
        await page.raw(**WAITS)
    from service.app_keys import WAIT_LIMITER

    assert len(world.app[WAIT_LIMITER]._sent) == 2
