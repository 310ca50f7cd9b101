"""Pages may start so many logins a minute; who is over is told when the next minute begins."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from models.errors import RateLimited, StoreUnavailable
from service.limits import Limits

Make = Callable[..., Limits]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stand still at the 20th second of some minute, or where a test goes from there."""
    base = (int(time.time()) // 60 + 1) * 60 + 20

    def go(seconds: float) -> None:
        monkeypatch.setattr("service.limits.time", SimpleNamespace(time=lambda: base + seconds))

    go(0)
    return go


@pytest.fixture
def limits(redis: Redis, clock: Callable[[float], None]) -> Make:
    return lambda per_address=0, per_client=0: Limits(redis, per_address=per_address, per_client=per_client)


async def starts(limits: Limits, count: int, *, client: str = "shop", address: str = "203.0.113.7") -> int:
    """Start *count* logins; return how many were allowed."""
    allowed = 0
    for _ in range(count):
        try:
            await limits.page_starts(client=client, address=address)
        except RateLimited:
            continue
        allowed += 1
    return allowed


async def test_no_limit_is_no_limit(limits: Make, redis: Redis) -> None:
    assert await starts(limits(), 50) == 50
    assert await redis.keys("scanbind:l:*") == []


async def test_an_address_has_its_share(limits: Make) -> None:
    mine = limits(per_address=3)
    assert await starts(mine, 5) == 3
    assert await starts(mine, 5, address="203.0.113.8") == 3


async def test_a_client_has_its_share_from_all_addresses(limits: Make) -> None:
    mine = limits(per_client=3)
    assert await starts(mine, 2) == 2
    assert await starts(mine, 2, address="203.0.113.8") == 1
    assert await starts(mine, 5, client="club") == 3


async def test_whoever_is_over_costs_others_nothing(limits: Make) -> None:
    """What one address is refused does not count against the client it asked for."""
    mine = limits(per_address=2, per_client=4)
    assert await starts(mine, 10) == 2
    assert await starts(mine, 10, address="203.0.113.8") == 2


async def test_the_refusal_says_when_the_next_minute_begins(limits: Make) -> None:
    mine = limits(per_address=1)
    await starts(mine, 1)
    with pytest.raises(RateLimited) as refused:
        await mine.page_starts(client="shop", address="203.0.113.7")
    assert refused.value.retry_after == 40


async def test_the_next_minute_begins_anew(limits: Make, clock: Callable[[float], None]) -> None:
    mine = limits(per_address=2)
    assert await starts(mine, 3) == 2
    clock(39)
    assert await starts(mine, 1) == 0
    clock(40)
    assert await starts(mine, 3) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:1", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("fe80::1%one", "fe80::1%two", True),
        ("unknown", "unknown", True),
    ],
)
async def test_a_subscriber_counts_as_one(limits: Make, one: str, other: str, same: bool) -> None:
    mine = limits(per_address=1)
    assert await starts(mine, 1, address=one) == 1
    assert await starts(mine, 1, address=other) == (0 if same else 1)


async def test_starts_at_once_are_all_counted(limits: Make) -> None:
    mine = limits(per_address=5)
    told = await asyncio.gather(
        *(mine.page_starts(client="shop", address="203.0.113.7") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, RateLimited) for one in told) == 15


async def test_counters_vanish_by_themselves(limits: Make, redis: Redis) -> None:
    await starts(limits(per_address=5, per_client=5), 2)
    keys = await redis.keys("scanbind:l:*")
    assert len(keys) == 2
    assert all([0 < await redis.ttl(key) <= 120 for key in keys])


async def test_without_redis_nothing_can_be_counted() -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", decode_responses=True) as nowhere:
        with pytest.raises(StoreUnavailable):
            await Limits(nowhere, per_address=1, per_client=0).page_starts(client="shop", address="203.0.113.7")
