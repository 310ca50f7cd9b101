"""Two services on the same stores give the same answers, also after Redis missed a change.

Covers: service.tickets.projection.
"""

import asyncio
from dataclasses import replace

from harness import Page, World

from service.app_keys import FEED


def at(other: World, page: Page) -> Page:
    return replace(page, world=other)


async def test_a_page_at_one_hears_of_a_scan_at_the_other(world: World, other: World) -> None:
    page = await other.bind("42")
    waiting = asyncio.create_task(page.until("confirmed"))
    await world.scan(await world.person(), page)
    assert (await waiting)["outcome"] == "bound"


async def test_a_stream_at_one_ends_by_a_cancel_at_the_other(world: World, other: World) -> None:
    page = await other.login()
    stream = asyncio.create_task(page.raw(suffix="/events"))
    assert (await at(world, page).raw("DELETE")).status == 204
    assert '"status":"cancelled"' in await (await stream).text()


async def test_a_code_is_exchanged_once_by_both_together(world: World, other: World) -> None:
    page = await world.login()
    await world.scan(await world.person(), page)
    code = (await page.poll())["code"]
    both = [world, other] * 10
    answers = await asyncio.gather(*(one.exchange(code) for one in both))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 19
    assert (await at(other, page).until("confirmed"))["code"] is None


async def test_a_lost_subscription_loses_no_change(world: World, other: World) -> None:
    page = await other.login()
    tag = (await page.raw()).headers["ETag"]
    waiting = asyncio.create_task(page.raw(If_None_Match=tag, Prefer="wait=30"))
    async with asyncio.timeout(20):
        while not other.app[FEED].waiting:
            await asyncio.sleep(0.01)
    # a change whose publication was lost
    unheard = f'{{"id":"{page.id}","version":{2**52},"status":"cancelled"}}'
    await world.redis.set(f"scanbind:t:{page.id}", unheard, px=60_000)
    await world.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    async with asyncio.timeout(20):
        assert (await (await waiting).json())["status"] == "cancelled"


async def test_an_ending_that_redis_missed_is_shown_when_it_is_back(world: World, other: World) -> None:
    page = await other.login()
    await world.scan(await world.person(), page)
    confirmed = await page.until("confirmed")
    # an older state comes back, as after a crash between two writes of the journal
    key = f"scanbind:t:{page.id}"
    await world.redis.set(key, f'{{"id":"{page.id}","version":1,"status":"pending"}}', px=60_000)
    await world.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    async with asyncio.timeout(10):
        while '"confirmed"' not in str(await world.redis.get(key)):
            await asyncio.sleep(0.05)
    assert (await page.poll()) | {"expires_in": 0} == confirmed | {"expires_in": 0}
