"""WeChat's `user/info` does not know yet who subscribed a moment ago: the signed push counts.

Red when `FollowerRefresh._ask` stores the `subscribe: 0` of such an answer, or does not ask again.
"""

import asyncio

import pytest
from harness import World

from sandbox.people import Person
from service.identities import follower_refresh


async def confirmed(world: World, person: Person) -> str:
    page = await world.login()
    await world.scan(person, page)
    return str((await page.until("confirmed"))["code"])


async def test_a_new_follower_is_subscribed_everywhere_and_the_unionid_follows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_refresh, "_AGAIN", 0.05)
    world.sandbox.state().lag = 600
    told = await (
        await world.exchange(await confirmed(world, await world.person(following=False, unionid="u")))
    ).json()
    assert (told["outcome"], told["subscribed"], told["unionid"]) == ("register", True, None)
    made = await world.site("POST", "/v1/bindings", {"user_id": "42", "registration": told["registration"]})
    assert (await made.json())["subscribed"] is True
    assert [one["subscribed"] for one in await world.bindings("42")] == [True]
    world.sandbox.state().lag = 0
    async with asyncio.timeout(10):
        while (await world.bindings("42"))[0]["unionid"] != "u":
            await asyncio.sleep(0.02)
    assert (await world.bindings("42"))[0]["subscribed"] is True


async def test_a_later_unsubscribe_counts(world: World) -> None:
    world.sandbox.state().lag = 600
    person = await world.person(following=False)
    code = await confirmed(world, person)
    world.clock.advance(2)
    await world.sandbox.unfollow(person)
    assert (await world.exchange(code)).status == 400
