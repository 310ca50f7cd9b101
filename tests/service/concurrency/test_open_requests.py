"""Counting of open requests: red when a request is counted twice, or the wait ends while one is open."""

import asyncio

from service.concurrency.open_requests import OpenRequests


async def test_the_wait_ends_with_the_last_request() -> None:
    requests, first, second = OpenRequests(), object(), object()
    requests.enter(first)
    requests.enter(second)
    waiting = asyncio.create_task(requests.none_left())
    await asyncio.sleep(0)
    requests.leave(first)
    requests.leave(first)
    await asyncio.sleep(0)
    assert not waiting.done()
    requests.leave(second)
    async with asyncio.timeout(5):
        await waiting


async def test_without_requests_there_is_no_wait() -> None:
    requests, one = OpenRequests(), object()
    requests.leave(one)
    requests.enter(one)
    requests.leave(one)
    async with asyncio.timeout(5):
        await requests.none_left()
