"""Times of unsubscribing in Redis: kept under a pseudonym for as long as older pushes may still arrive."""

import logging

import pytest
from redis.asyncio import Redis

from models.errors import StoreUnavailable
from models.events import OpenId
from service.config.settings import validate
from service.identities import departures
from service.identities.departures import Departures, briefly, left_mark, remembered

ANNA = OpenId("o9AgO5Kd5ggOC-bXrbNODIiE3bGY")


def marks(redis: Redis, **account: object) -> Departures:
    main = {"appid": "wx2c2769f8efd9abc2", "secret": "app-secret", "token": "spamtest", "aes_key": "a" * 43}
    return Departures(redis, accounts=validate({"accounts": {"main": {**main, **account}}}).accounts)


@pytest.mark.parametrize(("max_skew", "seconds"), [(0, 3600), (300, 660)])
async def test_a_mark_lives_longer_than_pushes_are_accepted(redis: Redis, max_skew: int, seconds: int) -> None:
    assert remembered(max_skew) == seconds
    await marks(redis, max_skew=max_skew).left("main", ANNA, 1_700_000_000)
    assert await redis.get(left_mark("main", ANNA)) == "1700000000"
    assert seconds - 5 <= await redis.ttl(left_mark("main", ANNA)) <= seconds


async def test_a_mark_of_an_account_that_is_no_longer_configured_is_kept_too(redis: Redis) -> None:
    await marks(redis).left("gone", ANNA, 1_700_000_000)
    assert await redis.ttl(left_mark("gone", ANNA)) > 3595


def test_a_mark_contains_no_openid_and_differs_by_account() -> None:
    assert ANNA not in left_mark("main", ANNA)
    assert left_mark("main", ANNA) != left_mark("second", ANNA)


async def test_an_unreachable_redis_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Red when `keep` lets StoreUnavailable out: WeChat would push the unsubscribe again and again."""
    with caplog.at_level(logging.WARNING):
        async with Redis.from_url("redis://127.0.0.1:1") as unreachable:
            await marks(unreachable).left("main", ANNA, 1_700_000_000)
    [line] = caplog.messages
    assert ANNA not in line


async def test_a_redis_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departures, "_PATIENCE", 0.0)
    with pytest.raises(StoreUnavailable):
        await briefly(departures.asyncio.sleep(30))
