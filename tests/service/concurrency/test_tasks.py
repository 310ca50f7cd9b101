"""Tasks are cancelled until they have ended, also when a library swallows a cancellation."""

import asyncio

import pytest

from service.concurrency.tasks import cancel_and_wait


async def swallow(times: int, started: asyncio.Event) -> None:
    """Go on until cancelled more than so many times."""
    for _ in range(times + 1):
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed = asyncio.current_task()
            assert swallowed
            swallowed.uncancel()
    raise asyncio.CancelledError


async def begun(times: int) -> "asyncio.Task[None]":
    started = asyncio.Event()
    task = asyncio.create_task(swallow(times, started))
    await started.wait()
    return task


async def test_all_have_ended_though_one_swallows_two_cancellations() -> None:
    """Red when each is cancelled only once."""
    tasks = [await begun(times) for times in (0, 2, 0)]
    async with asyncio.timeout(20):
        await cancel_and_wait(*tasks)
    assert all(task.cancelled() for task in tasks)


async def test_what_a_task_raises_is_left_in_it() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await cancel_and_wait(task)
    with pytest.raises(ZeroDivisionError):
        task.result()


async def test_without_tasks_there_is_nothing_to_wait_for() -> None:
    await cancel_and_wait()


async def test_a_task_that_swallows_every_cancellation_does_not_outlast_the_callers_deadline() -> None:
    """Red when `cancel_and_wait` swallows its own cancellation."""
    task = await begun(1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await cancel_and_wait(task)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
