"""Red when a count has no end, is not shared by processes, or is passed over while Redis does not answer."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from models.errors import StoreUnavailable
from models.events import OpenId
from service.rate_limiting.passcode_tries import EACH, IN_FLOOD, WINDOW, PasscodeTries
from service.rate_limiting.rates import Excess
from service.storage.redis import connect

ANNA, BEN = OpenId("oAnna"), OpenId("oBen")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect(redis_url) as opened:
        await opened.flushall()
        assert isinstance(opened, Redis)
        yield opened


async def taken(tries: PasscodeTries, openid: OpenId, times: int) -> list[Excess | None]:
    return [await tries.take("main", openid) for _ in range(times)]


async def test_each_person_has_five_and_the_first_excess_is_marked(redis: Redis) -> None:
    tries, elsewhere = PasscodeTries(redis, of_all=0), PasscodeTries(redis, of_all=0)
    assert await taken(tries, ANNA, EACH) == [None] * EACH
    limit = "passcodes_per_openid"
    assert await taken(elsewhere, ANNA, 2) == [Excess(limit, first=True), Excess(limit, first=False)]
    assert await taken(tries, BEN, 1) == [None]
    assert await tries.take("second", ANNA) is None


async def test_a_right_one_is_taken_back_from_both_counts(redis: Redis) -> None:
    tries = PasscodeTries(redis, of_all=2)
    for _ in range(3 * EACH):
        assert await tries.take("main", ANNA) is None
        await tries.give_back("main", ANNA)
    assert await taken(tries, BEN, IN_FLOOD) == [None] * IN_FLOOD


async def test_over_the_limit_of_all_each_person_has_two(redis: Redis) -> None:
    tries = PasscodeTries(redis, of_all=EACH)
    assert await taken(tries, ANNA, EACH) == [None] * EACH
    flood = Excess("passcodes_per_account", first=True)
    assert await taken(tries, BEN, IN_FLOOD + 1) == [*[None] * IN_FLOOD, flood]


async def test_one_person_does_not_use_up_the_limit_of_all(redis: Redis) -> None:
    """Red when those are counted for all that a person is refused."""
    tries = PasscodeTries(redis, of_all=2 * EACH)
    await taken(tries, ANNA, 5 * EACH)
    assert await taken(tries, BEN, EACH) == [None] * EACH


async def test_a_right_one_taken_back_after_the_window_permits_no_more_wrong_ones(redis: Redis) -> None:
    tries = PasscodeTries(redis, of_all=EACH)
    await taken(tries, ANNA, EACH)
    await redis.flushall()  # as when the window ends
    for _ in range(EACH):
        await tries.give_back("main", ANNA)
    assert await redis.keys("*") == []
    assert await taken(tries, ANNA, EACH + 1) == [None] * EACH + [Excess("passcodes_per_openid", first=True)]
    flood = Excess("passcodes_per_account", first=True)
    assert await taken(tries, BEN, IN_FLOOD + 1) == [*[None] * IN_FLOOD, flood]


async def test_no_count_lasts_longer_than_the_window(redis: Redis) -> None:
    tries = PasscodeTries(redis, of_all=0)
    await tries.take("main", ANNA)
    await tries.give_back("main", ANNA)
    await tries.take("main", BEN)
    keys = await redis.keys("scanbind:l:passcodes:*")
    assert len(keys) == 3
    for key in keys:
        assert 0 < await redis.ttl(key) <= WINDOW
    assert not any(ANNA in str(key) or BEN in str(key) for key in keys)


async def test_without_redis_no_passcode_is_read() -> None:
    async with Redis(host="127.0.0.1", port=1) as closed:
        with pytest.raises(StoreUnavailable):
            await PasscodeTries(closed, of_all=0).take("main", ANNA)
