"""Tokens as clients get them: how long they are kept, and what a report that WeChat refused one does.

Red when a report of another token, of one that was replaced meanwhile or of one that was reported lately fetches a
token, when callers who report the same token do not wait for its replacement, and when the lifetime is not what
Redis has left.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from models.errors import StoreUnavailable, WeChatUnavailable
from service.wechat import tokens as module
from service.wechat import transport
from service.wechat.api import WeChatApi
from service.wechat.tokens import AccessToken, TokenCache
from service.wechat.transport import ApiAccount

KEY = "scanbind:{wx0123456789abcdef}:token"
REPORTED = f"{KEY}-reported"


@pytest.fixture
def processes(redis: Redis, http: ClientSession) -> list[TokenCache]:
    return [TokenCache(redis, http=http) for _ in range(2)]


async def test_a_new_token_is_given_with_the_time_for_which_it_is_kept(
    processes: list[TokenCache], account: ApiAccount
) -> None:
    assert await processes[0].current(account) == AccessToken("token-1", 6900)


@pytest.mark.parametrize(("left", "told"), [(5_000_999, 5000), (1_999, 1), (900, 1)])
async def test_a_cached_token_is_given_with_what_is_left(
    processes: list[TokenCache], wechat: Any, account: ApiAccount, redis: Redis, *, left: int, told: int
) -> None:
    await redis.set(KEY, "token-0", px=left)
    current = await processes[0].current(account)
    assert current.token == "token-0"
    assert max(told - 1, 1) <= current.lifetime <= told  # the machine may be slow
    assert not wechat.asked


async def test_a_token_at_hand_is_not_given_when_another_is_current(
    processes: list[TokenCache], account: ApiAccount, redis: Redis
) -> None:
    """Red when `current` returns what the process has at hand, whose remaining life it does not know."""
    await processes[0].get(account)
    await redis.set(KEY, "token-of-another-process", ex=100)
    assert (await processes[0].current(account)).token == "token-of-another-process"


async def test_all_who_ask_at_once_wait_for_one_fetch(
    processes: list[TokenCache], wechat: Any, account: ApiAccount
) -> None:
    given = await asyncio.gather(*(each.current(account) for each in processes for _ in range(25)))
    assert {one.token for one in given} == {"token-1"}
    assert len(wechat.asked["stable_token"]) == 1


async def test_a_report_of_the_current_token_fetches_one_for_all_who_report_it(
    processes: list[TokenCache], wechat: Any, account: ApiAccount
) -> None:
    """Red when a caller returns while another still fetches: it would get the refused token again."""
    failed = await processes[0].get(account)

    async def report(process: TokenCache) -> tuple[bool, str]:
        return await process.report(account, failed), (await process.current(account)).token

    told = await asyncio.gather(*(report(each) for each in processes for _ in range(25)))
    assert sorted(told) == [(False, "token-2")] * 49 + [(True, "token-2")]
    assert len(wechat.asked["stable_token"]) == 2
    assert all("force_refresh" not in body for body in wechat.bodies["stable_token"])
    assert await processes[0].get(account) == "token-2"


@pytest.mark.parametrize("failed", ["token-0", "token-12", "token-", "", "Token-1", "token-1\0", "é"])
async def test_a_report_of_another_token_changes_nothing(
    processes: list[TokenCache], wechat: Any, account: ApiAccount, redis: Redis, failed: str
) -> None:
    await processes[0].get(account)
    assert not await processes[1].report(account, failed)
    assert len(wechat.asked["stable_token"]) == 1
    assert await redis.keys() == [KEY]


async def test_a_report_while_no_token_is_cached_fetches_none(
    processes: list[TokenCache], wechat: Any, account: ApiAccount
) -> None:
    assert not await processes[0].report(account, "token-0")
    assert not wechat.asked


async def test_a_token_that_wechat_still_accepts_is_asked_for_once_in_a_while(
    processes: list[TokenCache], wechat: Any, account: ApiAccount, redis: Redis
) -> None:
    """Red when `token-reported` is not read: a client that reports in a loop would use up WeChat's quota."""
    wechat.script["stable_token"] = [{"access_token": "token-1", "expires_in": 7000}]
    await processes[0].get(account)
    reports = [await process.report(account, "token-1") for _ in range(5) for process in processes]
    assert reports == [True] + [False] * 9
    assert len(wechat.asked["stable_token"]) == 2
    assert (module.REPORT_PAUSE - 10) * 1000 <= await redis.pttl(REPORTED) <= module.REPORT_PAUSE * 1000
    await redis.delete(REPORTED)  # as after its time
    assert await processes[0].report(account, "token-1")


async def test_the_token_after_a_reported_one_can_be_reported_at_once(
    processes: list[TokenCache], wechat: Any, account: ApiAccount
) -> None:
    first = await processes[0].get(account)
    assert await processes[0].report(account, first)
    assert await processes[1].report(account, "token-2")
    assert (await processes[0].current(account)).token == "token-3"


async def test_a_report_waits_for_a_fetch_under_way(
    processes: list[TokenCache], wechat: Any, account: ApiAccount
) -> None:
    """Red when the token is not compared again after the wait for the lock."""
    failed = await processes[0].get(account)
    wechat.arrived.clear()
    wechat.hold = asyncio.Event()
    fetching = asyncio.create_task(processes[0].refetch(account, failed))
    async with asyncio.timeout(20):
        await wechat.arrived.wait()
    reporting = asyncio.create_task(processes[1].report(account, failed))
    wechat.hold.set()
    assert (await fetching, await reporting) == ("token-2", False)
    assert len(wechat.asked["stable_token"]) == 2


async def test_a_report_of_another_token_waits_for_no_lock(
    processes: list[TokenCache], account: ApiAccount, redis: Redis
) -> None:
    """Red when the token is compared under the lock alone: reports of any text would hold up those who fetch."""
    await redis.set(KEY, "token-1", ex=100)
    await redis.set(f"{KEY}-lock", "a process that fetches", px=60_000)
    async with asyncio.timeout(module._WAIT / 2):
        assert not await processes[0].report(account, "token-0")


async def test_a_token_that_does_not_come_in_time_is_given_up(
    processes: list[TokenCache],
    wechat: Any,
    account: ApiAccount,
    http: ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = WeChatApi(account, tokens=processes[0], http=http)
    first = (await api.access_token()).token
    monkeypatch.setattr(transport, "DEADLINE", 0.2)
    wechat.hold = asyncio.Event()
    async with asyncio.timeout(transport.PER_TRY.total):
        with pytest.raises(WeChatUnavailable, match="WeChat returned no access token"):
            await api.report_token(first)
    await processes[0].redis.flushall()
    async with asyncio.timeout(transport.PER_TRY.total):
        with pytest.raises(WeChatUnavailable, match="WeChat returned no access token"):
            await api.access_token()
    wechat.hold.set()


async def test_a_report_that_fails_is_no_report(
    processes: list[TokenCache], wechat: Any, account: ApiAccount, redis: Redis
) -> None:
    """Red when the token counts as reported before another was fetched, and when failures do not rest."""
    failed = await processes[0].get(account)
    wechat.script["stable_token"] = [{"errcode": 40164, "errmsg": "invalid ip"}]
    for _ in range(3):
        with pytest.raises(WeChatUnavailable):
            await processes[0].report(account, failed)
    assert len(wechat.asked["stable_token"]) == 2
    assert await redis.keys() == [KEY]


async def test_without_redis_no_token_is_given(http: ClientSession, account: ApiAccount, tmp_path: Path) -> None:
    nowhere = Redis(unix_socket_path=str(tmp_path / "nothing"), decode_responses=True, retry=None)
    process = TokenCache(nowhere, http=http)
    with pytest.raises(StoreUnavailable):
        await process.current(account)
    with pytest.raises(StoreUnavailable):
        await process.report(account, "token-1")
    await nowhere.aclose()


def test_no_token_is_in_what_is_printed_of_one() -> None:
    assert "token-1" not in repr(AccessToken("token-1", 60))
