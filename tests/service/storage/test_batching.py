"""Commands that are issued together are sent together, and each caller gets its own answer.

Red when `_send` gives the answers in another order or raises the first error to each, when it does not ask whether
the caller was cancelled, when it catches no error, and when `_start` is called one pass earlier.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any
from urllib.parse import unquote

import pytest
from redis import exceptions
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from bench.proxy import Proxy, proxy
from models.errors import StoreUnavailable
from service.storage.batching import BatchingRedis
from service.storage.redis import connect, redis_errors


@pytest.fixture
async def between(redis: Redis, redis_url: str) -> AsyncIterator[Proxy]:
    """Count the round trips to a Redis that is empty."""
    assert await redis.dbsize() == 0
    async with proxy(unquote(redis_url.removeprefix("unix://")), delay=0.001) as running:
        yield running


@pytest.fixture
async def client(between: Proxy) -> AsyncIterator[Redis]:
    async with connect(f"redis://127.0.0.1:{between.port}") as opened:
        assert isinstance(opened, Redis)
        await opened.ping()
        yield opened


async def trips(between: Proxy, work: Awaitable[Any]) -> tuple[int, Any]:
    before = between.trips
    result = await work
    return between.trips - before, result


async def test_commands_issued_together_take_one_round_trip_and_run_in_their_order(
    between: Proxy, client: Redis
) -> None:
    commands = (client.rpush("list", number) for number in range(20))
    assert await trips(between, asyncio.gather(*commands)) == (1, list(range(1, 21)))
    assert await client.lrange("list", 0, -1) == [str(number) for number in range(20)]


async def test_a_gather_inside_of_another_is_part_of_the_round_trip(between: Proxy, client: Redis) -> None:
    async def pair() -> list[int]:
        return list(await asyncio.gather(client.incr("n"), client.incr("n")))

    assert await trips(between, asyncio.gather(client.incr("n"), pair())) == (1, [1, [2, 3]])


async def test_each_answer_is_decoded_as_that_of_a_single_command(client: Redis) -> None:
    await client.set("key", "value", px=60_000)
    alone = [await client.get("key"), await client.mget("key", "none"), await client.exists("key")]
    assert await asyncio.gather(client.get("key"), client.mget("key", "none"), client.exists("key")) == alone


async def test_an_error_of_one_command_reaches_its_caller_alone(client: Redis) -> None:
    first, wrong, last = await asyncio.gather(
        client.set("text", "a"), client.lpush("text", "b"), client.get("text"), return_exceptions=True
    )
    assert (first, last) == (True, "a")
    assert isinstance(wrong, ResponseError)
    assert str(wrong).startswith("WRONGTYPE")  # no command is quoted: it may contain an openid


async def test_a_script_that_redis_has_forgotten_is_loaded_again_within_a_batch(client: Redis) -> None:
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    await client.script_flush()
    answers = await asyncio.gather(script(keys=["n"]), client.get("n"), script(keys=["n"]))
    assert answers == [1, None, 2]


async def test_a_cancelled_caller_leaves_the_others_their_answers(client: Redis) -> None:
    callers = [asyncio.create_task(_pushed(client, number)) for number in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    first, cancelled, last = await asyncio.gather(*callers, return_exceptions=True)
    assert (first, last) == (1, 3)
    assert isinstance(cancelled, asyncio.CancelledError)


async def _pushed(client: Redis, number: int) -> int:
    return int(await client.rpush("list", number))


async def test_a_batch_on_a_connection_that_was_closed_is_sent_on_another(between: Proxy, client: Redis) -> None:
    await between.close()
    assert await asyncio.gather(client.set("key", "value"), client.get("key")) == [True, "value"]


async def test_without_redis_each_caller_has_an_outage() -> None:
    async def value(client: Redis | RedisCluster, key: str) -> object:
        with redis_errors():
            return await client.get(key)

    async with connect("redis://127.0.0.1:1") as client:
        for keys in ("a", "bc"):
            results = await asyncio.gather(*(value(client, key) for key in keys), return_exceptions=True)
            assert [type(result) for result in results] == [StoreUnavailable] * len(keys)


async def test_a_batch_without_answers_is_an_outage_and_later_commands_get_their_own(redis_url: str) -> None:
    """Red when `_exchange` has no timer or does not set the socket's timeout again: then Redis ends the wait."""
    async with connect(f"{redis_url}?socket_timeout=0.1") as client:
        assert isinstance(client, Redis)
        await client.set("a", "1")
        results = await asyncio.gather(client.get("a"), client.blpop("none", timeout=3), return_exceptions=True)
        assert [type(result) for result in results] == [exceptions.TimeoutError] * 2
        assert await client.get("a") == "1"


async def test_a_batch_that_is_stopped_leaves_no_answers_behind(redis: Redis, redis_url: str) -> None:
    async with connect(redis_url) as client:
        assert isinstance(client, BatchingRedis)
        waiting = asyncio.ensure_future(client.blpop("list"))  # type: ignore[arg-type]
        async with asyncio.timeout(10):
            while not (await redis.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0)
        [sending] = client._sending
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await redis.rpush("list", "a")
        assert await client.llen("list") == 1


async def test_an_answer_that_cannot_be_read_leaves_none_behind(client: Redis) -> None:
    client.set_response_callback("ECHO", int)
    assert await client.echo("5") == 5
    wrong, _ = await asyncio.gather(client.echo("x"), client.get("key"), return_exceptions=True)
    assert isinstance(wrong, ValueError)
    assert await client.set("key", "value") is True


async def test_a_command_is_issued_before_it_is_awaited(between: Proxy, client: Redis) -> None:
    """Red when `execute_command` is a coroutine: then the second command is a round trip of its own."""

    async def both() -> list[Any]:
        first, second = client.incr("n"), client.incr("n")
        return [await first, await second]

    assert await trips(between, both()) == (1, [1, 2])
