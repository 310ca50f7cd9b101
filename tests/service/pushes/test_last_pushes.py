"""The time of the last push of each account is kept in Redis, and a push never waits for it.

Red when a push that is not authentic is noted, when each push writes to Redis, when two accounts share a time, or
when a push fails because the time cannot be written.
"""

from datetime import UTC, datetime, timedelta

import pytest
from harness import ACCOUNT, World
from posting import prepared
from redis.asyncio import Redis

from models.errors import StoreUnavailable
from sandbox.crypto import sign
from service.app_keys import LAST_PUSHES
from service.pushes.last_pushes import KEPT, Arrival, LastPushes
from service.storage.redis import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def seen(world: World, arrival: Arrival = Arrival.PUSH) -> datetime | None:
    last_pushes = world.app[LAST_PUSHES]
    await last_pushes.finish()
    return (await last_pushes.read(["main"], arrival))["main"]


async def test_the_newest_push_of_each_account_is_read_in_any_process(redis: Redis) -> None:
    one, other = LastPushes(redis), LastPushes(redis)
    one.saw("main", NOW)
    one.saw("club", NOW + timedelta(seconds=1))
    one.saw("main", NOW + timedelta(seconds=5))
    await one.finish()
    assert await other.read(["main", "club", "none"]) == {
        "main": NOW,
        "club": NOW + timedelta(seconds=1),
        "none": None,
    }
    assert set((await other.read(["main", "club"], Arrival.VERIFICATION)).values()) == {None}
    one.saw("main", NOW + timedelta(seconds=10))
    await one.finish()
    assert (await other.read(["main"]))["main"] == NOW + timedelta(seconds=10)
    assert KEPT.total_seconds() - 5 < await redis.ttl("scanbind:last_push:main") <= KEPT.total_seconds()


async def test_many_pushes_are_one_write(redis: Redis) -> None:
    last_pushes = LastPushes(redis)
    await redis.config_resetstat()
    for number in range(1000):
        last_pushes.saw("main", NOW + timedelta(milliseconds=number))
    await last_pushes.finish()
    assert (await redis.info("commandstats"))["cmdstat_set"]["calls"] == 1


async def verify(world: World, stamp: str) -> int:
    nonce = "1514711492"
    query = {"signature": sign(ACCOUNT.token, stamp, nonce), "timestamp": stamp, "nonce": nonce, "echostr": "1"}
    return (await world.call("GET", "/wechat/main", params=query)).status


async def test_only_authentic_pushes_and_verifications_are_noted(world: World) -> None:
    forged = await world.call("POST", "/wechat/main", params={"signature": "0" * 40}, data=b"<xml/>")
    unsigned = await world.call("GET", "/wechat/main", params={"echostr": "1"})
    assert {forged.status, unsigned.status} == {403}
    assert await seen(world) is None
    await world.scan(await world.person(), await world.login())
    assert abs((await seen(world) or NOW) - world.clock()) < timedelta(minutes=1)
    assert await seen(world, Arrival.VERIFICATION) is None
    assert await verify(world, "1714036504") == 200
    assert await seen(world, Arrival.VERIFICATION) is None, "it may be from a log"
    assert await verify(world, str(int(world.clock().timestamp()))) == 200
    assert await seen(world, Arrival.VERIFICATION)


async def test_a_redis_that_does_not_answer_is_no_fault_of_a_push() -> None:
    async with connect("redis://127.0.0.1:9") as client:
        last_pushes = LastPushes(client)
        last_pushes.saw("main", NOW)
        [writing] = last_pushes._running
        await last_pushes.finish()
        assert writing.exception() is None
        with pytest.raises(StoreUnavailable):
            await last_pushes.read(["main"])


async def test_a_push_that_cannot_be_read_is_noted_as_well(world: World) -> None:
    push = (await prepared(world))[0]
    await world.redis.delete("scanbind:last_push:main")
    world.clock.advance(60)
    request = push.sealed(b"no document")
    assert (await push.send(request)).status == 200
    assert await seen(world)
