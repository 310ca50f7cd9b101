"""Red when a person gets more notices than the limits allow, or none because Redis is away."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from models.events import OpenId
from service.rate_limiting.notice_limits import PER_DAY, PER_MINUTE, NoticeLimits
from service.storage.redis import connect

ANNA, BEN = OpenId("oAnna"), OpenId("oBen")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    async with connect(redis_url) as opened:
        await opened.flushall()
        yield opened


async def taken(limits: NoticeLimits, openid: OpenId, times: int) -> list[bool]:
    return [await limits.take("main", openid) for _ in range(times)]


async def next_minute(redis: Any) -> None:
    """Forget the minute, as Redis does when it ends."""
    await redis.delete(*await redis.keys("*:minute"))


async def test_each_person_has_three_a_minute(redis: Any) -> None:
    limits, elsewhere = NoticeLimits(redis), NoticeLimits(redis)
    assert await taken(limits, ANNA, PER_MINUTE) == [True] * 3
    assert await taken(elsewhere, ANNA, 1) == [False]
    assert await taken(limits, BEN, 1) == [True]
    assert await limits.take("second", ANNA)


async def test_what_a_minute_refuses_does_not_count_for_the_day(redis: Any) -> None:
    limits = NoticeLimits(redis)
    found = list[bool]()
    for _ in range(4):
        found += [one for one in await taken(limits, ANNA, PER_MINUTE + 4) if one]
        await next_minute(redis)
    assert len(found) == PER_DAY == 10


async def test_counts_end_with_their_windows(redis: Any) -> None:
    await NoticeLimits(redis).take("main", ANNA)
    lives = {key.rpartition(":")[2]: await redis.ttl(key) for key in await redis.keys("*")}
    assert lives.keys() == {"minute", "day"}
    assert 0 < lives["minute"] <= 60 < lives["day"] <= 86_400
    assert not any("oAnna" in key for key in await redis.keys("*"))


async def test_without_redis_notices_are_sent() -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as away:
        assert await NoticeLimits(away).take("main", ANNA)
