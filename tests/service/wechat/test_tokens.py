"""One access token for all processes, over a real Valkey."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from models.errors import StoreUnavailable, WeChatUnavailable
from service.wechat import tokens as module
from service.wechat.tokens import TokenCache
from service.wechat.transport import ApiAccount

KEY = "scanbind:{wx0123456789abcdef}:token"


@pytest.fixture
def book(redis: Redis, http: ClientSession) -> TokenCache:
    return TokenCache(redis, http=http)


@pytest.fixture
def other_process(redis: Redis, http: ClientSession) -> TokenCache:
    return TokenCache(redis, http=http)


def granted(token: str, lifetime: Any = 7200) -> dict[str, Any]:
    return {"access_token": token, "expires_in": lifetime}


async def test_the_stable_token_is_asked_for_in_normal_mode(
    book: TokenCache, wechat: Any, account: ApiAccount
) -> None:
    assert await book.get(account) == "token-1"
    assert wechat.bodies == {
        "stable_token": [
            {"grant_type": "client_credential", "appid": "wx0123456789abcdef", "secret": "the-secret"}
        ]
    }
    assert wechat.asked["stable_token"][0].method == "POST"
    assert "secret" not in wechat.asked["stable_token"][0].query_string


async def test_a_token_is_fetched_once_for_all(
    book: TokenCache, other_process: TokenCache, wechat: Any, account: ApiAccount
) -> None:
    assert {await book.get(account), await other_process.get(account), await book.get(account)} == {"token-1"}
    assert len(wechat.asked["stable_token"]) == 1


async def test_all_who_come_at_once_wait_for_one_fetch(
    book: TokenCache, other_process: TokenCache, wechat: Any, account: ApiAccount
) -> None:
    wechat.hold = asyncio.Event()
    requests = [asyncio.create_task(each.get(account)) for each in (book, other_process) for _ in range(10)]
    async with asyncio.timeout(20):
        await wechat.arrived.wait()
        wechat.hold.set()
        assert set(await asyncio.gather(*requests)) == {"token-1"}
    assert len(wechat.asked["stable_token"]) == 1


@pytest.mark.parametrize(
    ("lifetime", "kept"), [(7200, 6900), (400, 100), (301, 1), (300, 1), (60, 1), (10**9, 6900)]
)
async def test_a_token_is_kept_until_five_minutes_before_its_end(
    book: TokenCache, wechat: Any, account: ApiAccount, redis: Redis, *, lifetime: int, kept: int
) -> None:
    wechat.script["stable_token"] = [granted("token-1", lifetime)]
    await book.get(account)
    assert kept - 1 <= await redis.pttl(KEY) / 1000 <= kept


async def test_another_process_waits_for_the_fetch_under_way(
    book: TokenCache, other_process: TokenCache, wechat: Any, account: ApiAccount
) -> None:
    wechat.hold = asyncio.Event()
    first = asyncio.create_task(book.get(account))
    async with asyncio.timeout(20):
        await wechat.arrived.wait()
    wechat.arrived.clear()
    second = asyncio.create_task(other_process.get(account))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await wechat.arrived.wait()
    wechat.hold.set()
    assert await first == await second == "token-1"


async def test_a_token_at_hand_waits_for_no_lock(book: TokenCache, account: ApiAccount, redis: Redis) -> None:
    await redis.set("scanbind:{wx0123456789abcdef}:token-lock", "a process that fetches", px=60_000)
    await redis.set(KEY, "token-0")
    async with asyncio.timeout(module._WAIT / 2):
        assert await book.get(account) == "token-0"


async def test_a_token_is_used_for_half_a_minute_without_redis(
    book: TokenCache, account: ApiAccount, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `get` reads Redis each time, and when it never does again."""
    now = module._now()
    monkeypatch.setattr(module, "_now", lambda: now)
    await book.get(account)
    await redis.set(KEY, "token-of-another-process")
    now += module.AT_HAND - 1
    assert await book.get(account) == "token-1"
    now += 1
    assert await book.get(account) == "token-of-another-process"


async def test_a_failed_token_is_not_used_again(
    book: TokenCache, other_process: TokenCache, account: ApiAccount
) -> None:
    """Red when `refetch` leaves the failed token at hand."""
    failed = await book.get(account)
    await other_process.refetch(account, failed)
    assert await book.refetch(account, failed) == await book.get(account) == "token-2"


async def test_a_lost_token_is_fetched_again(
    book: TokenCache, wechat: Any, account: ApiAccount, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_HAND", 0.0)
    await book.get(account)
    await redis.flushall()
    assert await book.get(account) == "token-2"


async def test_a_failed_token_is_replaced_once(
    book: TokenCache, other_process: TokenCache, wechat: Any, account: ApiAccount
) -> None:
    failed = await book.get(account)
    replaced = await asyncio.gather(
        *(each.refetch(account, failed) for each in (book, other_process) for _ in range(5))
    )
    assert set(replaced) == {"token-2"}
    assert len(wechat.asked["stable_token"]) == 2
    assert await other_process.get(account) == "token-2"
    assert all("force_refresh" not in body for body in wechat.bodies["stable_token"])


async def test_accounts_have_a_token_each(book: TokenCache, wechat: Any, account: ApiAccount) -> None:
    other = ApiAccount(appid="wxfedcba9876543210", secret="s", api_base=account.api_base)
    assert await book.get(account) == "token-1"
    assert await book.get(other) == "token-2"
    assert await book.get(account) == "token-1"


async def test_applications_of_one_enterprise_have_a_token_each(
    book: TokenCache, wechat: Any, account: ApiAccount, redis: Redis
) -> None:
    """Red when the CorpID alone is the key of a token, of a failure or of a lock."""
    wechat.script["gettoken"] = [granted("corp-1"), {"errcode": 40001, "errmsg": "no"}, granted("corp-3")]
    apps = [ApiAccount("ww1", "corp-secret", account.api_base, agentid=number) for number in (1, 2, 3)]
    assert await book.get(apps[0]) == "corp-1"
    with pytest.raises(WeChatUnavailable):
        await book.get(apps[1])
    assert [await book.get(apps[0]), await book.get(apps[2])] == ["corp-1", "corp-3"]
    assert sorted(await redis.keys()) == ["scanbind:{ww1.1}:token", "scanbind:{ww1.3}:token"]
    asked = wechat.asked["gettoken"][0]
    assert (asked.method, dict(asked.query)) == ("GET", {"corpid": "ww1", "corpsecret": "corp-secret"})


@pytest.mark.parametrize("errcode", [40001, 40013, 40125, 40164, 45009, 45011, 89503, 50004])
async def test_a_refusal_is_not_asked_again(
    book: TokenCache, wechat: Any, account: ApiAccount, errcode: int
) -> None:
    wechat.script["stable_token"] = [{"errcode": errcode, "errmsg": "no rid: 0abc-1def-2fff"}]
    with pytest.raises(WeChatUnavailable) as caught:
        await book.get(account)
    assert caught.value.errcode == errcode
    assert len(wechat.asked["stable_token"]) == 1


async def test_a_failure_rests_then_is_asked_again(
    book: TokenCache, wechat: Any, account: ApiAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    wechat.script["stable_token"] = [{"errcode": 40164, "errmsg": "invalid ip"}, granted("token-1")]
    for _ in range(5):
        with pytest.raises(WeChatUnavailable) as caught:
            await book.get(account)
        assert caught.value.errcode == 40164
    assert len(wechat.asked["stable_token"]) == 1
    later = asyncio.get_running_loop().time() + module.REST
    monkeypatch.setattr(module, "_now", lambda: later)
    assert await book.get(account) == "token-1"


async def test_a_busy_system_is_asked_thrice(book: TokenCache, wechat: Any, account: ApiAccount) -> None:
    busy = {"errcode": -1, "errmsg": "system error"}
    wechat.script["stable_token"] = [busy, busy, granted("token-1")]
    assert await book.get(account) == "token-1"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"<html>",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 60000,
        {},
        {"access_token": "x"},
        {"expires_in": 7200},
        granted(""),
        granted("x", "7200"),
        granted("x y"),
        granted("\ud83d"),
        granted("x", True),
        {"access_token": ["x"], "expires_in": 7200},
        {"errcode": "many", **granted("x")},
        {"errcode": None, **granted("x")},
    ],
)
async def test_no_token_in_the_answer_is_a_failure(
    book: TokenCache, wechat: Any, account: ApiAccount, redis: Redis, answer: Any
) -> None:
    wechat.script["stable_token"] = [answer]
    with pytest.raises(WeChatUnavailable) as caught:
        await book.get(account)
    assert caught.value.errcode is None
    assert len(wechat.asked["stable_token"]) == 2
    assert await redis.get(KEY) is None


async def test_the_log_names_the_errcode_and_no_secret(
    book: TokenCache, wechat: Any, account: ApiAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wechat.script["stable_token"] = [
        {"errcode": 40125, "errmsg": "invalid appsecret the-secret rid: 0abc-1def-2fff"}
    ]
    with pytest.raises(WeChatUnavailable):
        await book.get(account)
    assert "stable_token failed for wx0123456789abcdef: errcode=40125 rid=0abc-1def-2fff" in caplog.text
    assert "the-secret" not in caplog.text
    assert "the-secret" not in repr(account)


async def test_a_lock_left_behind_does_not_hold_for_ever(
    book: TokenCache, wechat: Any, account: ApiAccount, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAIT", 0.1)
    await redis.set("scanbind:{wx0123456789abcdef}:token-lock", "a process that died", px=60_000)
    assert set(await asyncio.gather(*(book.get(account) for _ in range(5)))) == {"token-1"}
    assert len(wechat.asked["stable_token"]) == 1
    assert await redis.get("scanbind:{wx0123456789abcdef}:token-lock") == "a process that died"


async def test_the_lock_is_given_back(book: TokenCache, account: ApiAccount, redis: Redis) -> None:
    await book.get(account)
    assert await redis.keys() == [KEY]


async def test_without_redis_the_store_is_unavailable(
    http: ClientSession, account: ApiAccount, tmp_path: Path
) -> None:
    nowhere = Redis(unix_socket_path=str(tmp_path / "nothing"), decode_responses=True, retry=None)
    book = TokenCache(nowhere, http=http)
    with pytest.raises(StoreUnavailable):
        await book.get(account)
    with pytest.raises(StoreUnavailable):
        await book.refetch(account, "token-1")
    await nowhere.aclose()
