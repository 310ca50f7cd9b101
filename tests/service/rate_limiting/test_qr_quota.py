"""WeChat's daily quota of QR codes: counted before each call, with the last ones kept for binds."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from models.errors import RateLimited, StoreUnavailable, WeChatUnavailable
from models.ticket import Purpose
from service.config.accounts import Account
from service.observability.metrics import Metrics
from service.rate_limiting.qr_quota import QrQuota

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
"""Noon in Beijing."""
LOGIN, BIND = Purpose.LOGIN, Purpose.BIND


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=NOON)


def quota(redis: Redis, clock: SimpleNamespace, **codes: int) -> QrQuota:
    given: dict[str, Any] = {"appid": "wx0123456789abcdef", "secret": "s", "token": "t", "aes_key": "a" * 43}
    account = Account(**given, codes_per_day=codes.get("per_day", 10), codes_for_binds=codes.get("for_binds", 3))
    return QrQuota(redis, accounts={"main": account, "second": account}, clock=lambda: clock.now)


async def take(mine: QrQuota, count: int, purpose: Purpose, account: str = "main") -> int:
    """Ask for *count* codes; return how many were allowed."""
    allowed = 0
    for _ in range(count):
        try:
            async with mine.code(account, purpose):
                pass
        except RateLimited:
            continue
        allowed += 1
    return allowed


async def test_the_last_codes_are_for_binds(redis: Redis, clock: SimpleNamespace) -> None:
    mine = quota(redis, clock)
    assert await take(mine, 20, LOGIN) == 7
    assert await take(mine, 20, BIND) == 3
    assert await take(mine, 1, LOGIN) == 0
    assert await mine.used("main") == 10
    assert await take(mine, 1, LOGIN, account="second") == 1


async def test_all_processes_count_together(redis: Redis, clock: SimpleNamespace) -> None:
    one, other = quota(redis, clock, per_day=100, for_binds=50), quota(redis, clock, per_day=100, for_binds=50)
    told = await asyncio.gather(*(take(who, 1, LOGIN) for who in [one, other] * 40))
    assert sum(told) == 50


async def test_the_day_ends_at_midnight_in_beijing(redis: Redis, clock: SimpleNamespace) -> None:
    mine = quota(redis, clock)
    await take(mine, 20, BIND)
    with pytest.raises(RateLimited) as refused:
        async with mine.code("main", BIND):
            raise AssertionError
    assert (refused.value.limit, refused.value.retry_after) == ("codes_per_day", 12 * 3600)
    clock.now = NOON + timedelta(hours=12, seconds=-1)
    assert await take(mine, 1, BIND) == 0
    clock.now = NOON + timedelta(hours=12)
    assert await take(mine, 1, BIND) == 1


async def test_after_wechats_own_refusal_one_request_a_minute_finds_out(
    redis: Redis, clock: SimpleNamespace
) -> None:
    """Red when `_TAKE` lets none or all of them through."""
    one, other, metrics = quota(redis, clock), quota(redis, clock), Metrics()
    other.show(metrics)
    await take(one, 1, LOGIN)
    await refused(one, 1, 45009)
    assert await take(one, 1, BIND, account="second") == 1
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            async with other.code("main", BIND):
                raise AssertionError
        assert (caught.value.limit, caught.value.retry_after) == ("codes_per_day", 60)
        assert (await one.used("main"), await one.has_ended("main")) == (1, True)
        assert 'scanbind_codes_today{account="main"} 10.0' in metrics.text().decode()
        clock.now += timedelta(seconds=59)
        assert await take(one, 1, BIND) == 0
        clock.now += timedelta(seconds=1)
        await refused(other, 1, 45009)


async def test_one_request_is_let_through_of_all_processes(redis: Redis, clock: SimpleNamespace) -> None:
    processes = [quota(redis, clock) for _ in range(4)]
    await refused(processes[0], 1, 45009)
    clock.now += timedelta(minutes=1)
    through = 0

    async def ask(mine: QrQuota) -> None:
        nonlocal through
        with suppress(RateLimited, WeChatUnavailable):
            async with mine.code("main", LOGIN):
                through += 1
                raise WeChatUnavailable("no", errcode=45009)

    await asyncio.gather(*(ask(mine) for mine in processes * 5))
    assert through == 1


async def test_a_request_that_succeeds_opens_again_at_once(redis: Redis, clock: SimpleNamespace) -> None:
    one, other, metrics = quota(redis, clock), quota(redis, clock), Metrics()
    one.show(metrics)
    await refused(one, 1, 45009)
    clock.now += timedelta(minutes=1)
    assert await take(one, 1, LOGIN) == 1
    assert 'scanbind_codes_today{account="main"} 1.0' in metrics.text().decode()
    assert (await other.has_ended("main"), await take(other, 20, LOGIN)) == (False, 6)


@pytest.mark.parametrize("errcode", [None, -1, 45011])
async def test_a_request_that_fails_otherwise_finds_out_nothing(
    redis: Redis, clock: SimpleNamespace, errcode: int | None
) -> None:
    mine = quota(redis, clock)
    await refused(mine, 1, 45009)
    clock.now += timedelta(minutes=1)
    await refused(mine, 1, errcode)
    assert (await take(mine, 5, LOGIN), await mine.used("main")) == (0, 0)
    clock.now += timedelta(minutes=1)
    assert await take(mine, 1, LOGIN) == 1


async def test_the_reserved_part_is_not_used_to_find_out(redis: Redis, clock: SimpleNamespace) -> None:
    mine = quota(redis, clock)
    await take(mine, 7, LOGIN)
    with pytest.raises(WeChatUnavailable):
        async with mine.code("main", BIND):
            raise WeChatUnavailable("no", errcode=45009)
    clock.now += timedelta(minutes=1)
    assert (await take(mine, 1, LOGIN), await take(mine, 2, BIND)) == (0, 2)


@pytest.mark.parametrize("change", [timedelta(hours=-1), timedelta(hours=12)])
async def test_neither_a_clock_set_back_nor_a_new_day_prolongs_it(
    redis: Redis, clock: SimpleNamespace, change: timedelta
) -> None:
    mine = quota(redis, clock)
    await refused(mine, 1, 45009)
    clock.now += change
    await take(mine, 1, LOGIN)
    clock.now += timedelta(minutes=1)
    assert await take(mine, 1, LOGIN) == 1


async def test_lost_data_opens_again(redis: Redis, clock: SimpleNamespace) -> None:
    mine = quota(redis, clock)
    await refused(mine, 1, 45009)
    await redis.flushall()
    assert await take(mine, 20, LOGIN) == 7


async def refused(mine: QrQuota, count: int, errcode: int | None) -> None:
    """Ask for *count* codes that WeChat does not make."""
    for _ in range(count):
        with pytest.raises(WeChatUnavailable):
            async with mine.code("main", LOGIN):
                raise WeChatUnavailable("no", errcode=errcode)


@pytest.mark.parametrize("errcode", [None, -1, 40164, 45011, 48001])
async def test_what_wechat_did_not_make_is_not_counted(
    redis: Redis, clock: SimpleNamespace, errcode: int | None
) -> None:
    mine, metrics = quota(redis, clock), Metrics()
    mine.show(metrics)
    await refused(mine, 20, errcode)
    assert await mine.used("main") == 0
    assert b'scanbind_codes_today{account="main"} 0.0' in metrics.text()
    assert await take(mine, 20, LOGIN) == 7


async def test_a_store_that_was_emptied_meanwhile_gets_nothing_back(redis: Redis, clock: SimpleNamespace) -> None:
    async def fail() -> None:
        async with quota(redis, clock).code("main", LOGIN):
            await redis.flushall()
            raise WeChatUnavailable("no")

    with pytest.raises(WeChatUnavailable):
        await fail()
    assert await redis.keys() == []


async def test_a_refusal_soon_after_midnight_is_yesterdays(redis: Redis, clock: SimpleNamespace) -> None:
    """WeChat's clock need not agree with ours: a whole day would be lost for some seconds."""
    mine = quota(redis, clock)
    clock.now = NOON + timedelta(hours=12, seconds=3)
    await refused(mine, 2, 45009)
    assert await mine.used("main") == 0
    clock.now += timedelta(minutes=10)
    assert await take(mine, 1, LOGIN) == 1
    await refused(mine, 1, 45009)
    assert (await mine.used("main"), await take(mine, 1, BIND)) == (1, 0)


async def test_counters_vanish_by_themselves(redis: Redis, clock: SimpleNamespace) -> None:
    await take(quota(redis, clock), 2, LOGIN)
    [key] = await redis.keys("scanbind:codes:*")
    assert 86_400 < await redis.ttl(key) <= 2 * 86_400


async def test_the_figures_tell_what_was_last_seen_of_today(redis: Redis, clock: SimpleNamespace) -> None:
    mine, metrics = quota(redis, clock), Metrics()
    mine.show(metrics)
    await take(mine, 2, LOGIN)
    assert 'scanbind_codes_today{account="main"} 2.0' in metrics.text().decode()
    assert 'scanbind_codes_today{account="second"} 0.0' in metrics.text().decode()
    clock.now += timedelta(days=1)
    assert 'scanbind_codes_today{account="main"} 0.0' in metrics.text().decode()


async def test_without_redis_no_code_is_asked_for(clock: SimpleNamespace) -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", decode_responses=True) as nowhere:
        with pytest.raises(StoreUnavailable):
            await take(quota(nowhere, clock), 1, BIND)
